#!/usr/bin/env bash
# What several recipes do in a stage, sourced by stages.sh; call them between begin_stage and end_stage. The mark of a
# stage holds the text of the steps that it calls, and the options in them, as it does for commands of the recipe's own.
#
# shellcheck disable=SC2154  # the recipe declares data, exp, nj and the options; stages.sh the rest

# pack_data PART [OPTION...]: $data/PART.pack, to train from.
pack_data() {
  $cmd --num-threads "$nj" "$data/log/pack_$1.log" vqspeech pack "$data/$1" "$data/$1.pack" --jobs "$nj" "${@:2}"
}

# align_data PART: phones.ctm and words.ctm in $data/PART, by --nj jobs.
align_data() {
  split_data "$data/$1"
  $cmd JOB=1:"$shards" --done "$split/JOB/.done" "$data/log/align_$1.JOB.log" vqspeech align "$split/JOB" --piece --jobs 1
  vqspeech join "$split" "$data/$1" phones.ctm words.ctm --optional align.failed
}

# train_model COMMAND [OPTION...]: $exp, by train or train-units, from the packs, by the numbers of $model and --changes.
train_model() {
  # shellcheck disable=SC2086  # --changes are several words
  $train_cmd --gpu "$ngpu" "$exp/log/train.log" "${launch[@]}" "$1" "$model" --data "$data/train.pack" \
    --dev "$data/dev.pack" --out "$exp" --device "$device" "${@:2}" $changes
}

# encode_data PART [OPTION...]: $exp/codes/PART.txt, by --nj jobs.
encode_data() {
  split_data "$data/$1"
  $cmd JOB=1:"$shards" --done "$split/JOB/.done" "$exp/log/encode_$1.JOB.log" \
    vqspeech encode "$split/JOB" --out "$split/JOB/$1.txt" "${@:2}"
  vqspeech join "$split" "$exp/codes" "$1.txt"
}

# train_prior: $exp/prior, over the codes of train, by the numbers of --prior and --prior-changes.
train_prior() {
  # shellcheck disable=SC2086  # --prior-changes are several words
  $train_cmd --gpu "$ngpu" "$exp/log/prior.log" "${launch[@]}" train-prior "$prior" --codes "$exp/codes/train.txt" \
    --dev "$exp/codes/dev.txt" --utt2spk "$data/train/utt2spk" --utt2spk "$data/dev/utt2spk" --model "$exp" \
    --out "$exp/prior" --device "$device" $prior_changes
}

# sample_prior COUNT OUT: in OUT/SPEAKER so many samples of --seconds, for each of the first four speakers.
sample_prior() {
  local speaker
  for speaker in $(head -n 4 "$data/train/spk2utt" | cut -d ' ' -f 1); do
    vqspeech sample --model "$exp" --prior "$exp/prior" --speaker "$speaker" --seconds "$seconds" --count "$1" \
      --out "$2/$speaker" --force
  done
}

# evaluate_prior OUT [OPTION...]: the report on --samples samples of the prior.
evaluate_prior() {
  vqspeech evaluate prior --model "$exp" --prior "$exp/prior" --codes "$exp/codes/test.txt" \
    --train-codes "$exp/codes/train.txt" --condition-on-speaker --utt2spk "$data/test/utt2spk" --data "$data/test" \
    --count "$samples" --seconds "$seconds" --out "$1" "${@:2}"
}

# evaluate_speech MEASURE [OPTION...]: $exp/MEASURE, the report on reconstruction or conversion of test, by --nj jobs.
evaluate_speech() {
  # shellcheck disable=SC2206  # --metrics are several words
  local asked=(evaluate "$1" --model "$exp" --data "$data/test" --references "$data/train" --pairs "$pairs"
    --metrics $metrics --out "$exp/$1" "${@:2}")
  $cmd JOB=1:"$nj" --done "$work/$1.JOB" "$exp/log/$1.JOB.log" vqspeech "${asked[@]}" --shard JOB/"$nj"
  vqspeech "${asked[@]}"
}
