#!/usr/bin/env bash
# Trains the model that ships in the package, from public corpora: VCTK, CMU ARCTIC and LibriSpeech.
#
#   egs/default_model/run.sh --vctk DIR --arctic DIR --librispeech DIR [--more "DIR ..."] [--nj 2] [--ngpu 0]
#       [--stage N] [--stop-stage N]
#
# --vctk         VCTK-Corpus-0.92 (the 0.80 layout will do as well)
# --arctic       a folder that holds cmu_us_bdl_arctic and cmu_us_slt_arctic
# --librispeech  a part of LibriSpeech that holds the readers named below: train-clean-5 of mini LibriSpeech has most,
#                train-clean-100 all; readers that are absent are left out with a word
# --more         Kaldi data directories of further speakers, for the front end alone: unknown speakers are the better
#                understood, the more speakers the encoder was trained on (RESULTS.md). Any that `vqspeech prepare` makes.
#
# Stages:
#   0  data directories: train, dev, test, split by utterance, speakers shared; and readers that no model is trained on
#   1  packs, with pitch: one file to train from
#   2  train the front end: encoder, codebook, conditioning network (front-end-125hz): DIR/front_end
#   3  judge its codes through the mel head, without a decoder, in minutes: known voices, then readers left out
#   4  train the decoder behind it (decoder-125hz): DIR/decoder
#   5  judge that: conversions of known voices, then of readers left out
#
# More options: --data DIR, --out DIR (the experiments), --threads N (to train with), --pairs N (to measure), --whisper
# PATH (a Whisper model for the word errors; none: pocketsphinx), --metrics "...", --front-end-changes and
# --decoder-changes "K=V ..." (of the numbers of stages 2 and 4); --vctk-speakers, --arctic-speakers, --readers and
# --left-out "..." (whom to take of each corpus).
set -euo pipefail
recipe=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$recipe/path.sh"
. "$recipe/cmd.sh"

stage=0
stop_stage=5
vctk=
arctic=
librispeech=
more=
whisper=
metrics="similarity words quality"
data=$VQSPEECH_ROOT/data/default_model
out=$VQSPEECH_ROOT/exp/default_model
front_end_changes=
decoder_changes=
pairs=48
vctk_speakers="p225 p226 p227 p228 p239"
arctic_speakers="bdl slt"
readers="19 26 27 32 118 163 226 332 460 669 1088 1867 1898 1970 2416 3242 3526 3947 4680 5789 6848 7312 7859 8629"
# Never trained on: three women and three men.
left_out="1737 2136 3664 4640 6272 7367"
threads=1
nj=2
ngpu=0
. parse_options.sh
. stages.sh
absolute vctk arctic librispeech whisper data out

parts="--dev 0.01 --test 0.03 --at-least 2"

front_end=$(config_file "$recipe/conf" front-end-125hz)
decoder=$(config_file "$recipe/conf" decoder-125hz)
# The packaged model had these steps in pieces, each with rates raised and lowered again (RESULTS.md).
from_scratch="training.steps=10800 training.optimizer.adam=0.002 training.optimizer.muon_decoder=0.02
  training.optimizer.muon_encoder=0.005 training.optimizer.warm_up=50 training.optimizer.decay_from=0.35"

marks=$data
# shellcheck disable=SC2086  # speakers, readers and parts are several words
if begin_stage 0 "data directories" makes "$data"/{train,dev,test}; then
  need vctk "VCTK's folder"
  need arctic "the folder of cmu_us_bdl_arctic and cmu_us_slt_arctic"
  need librispeech "LibriSpeech's folder"
  vqspeech prepare vctk "$vctk" "$data/vctk" --speakers $vctk_speakers $parts
  vqspeech prepare arctic "$arctic" "$data/arctic" --speakers $arctic_speakers $parts
  vqspeech prepare librispeech "$librispeech" "$data/librispeech" --speakers $readers $parts
  vqspeech prepare librispeech "$librispeech" "$data/left_out" --speakers $left_out --dev 0 --test 0.9 --at-least 4
  for part in train dev test; do
    vqspeech combine "$data/$part" "$data"/{vctk,arctic,librispeech}/$part
    vqspeech validate "$data/$part"
  done
  vqspeech combine "$data/front_end" "$data/train" $more
  vqspeech validate --no-text "$data/front_end"
  end_stage
fi

if begin_stage 1 "packs" reads "$data"/{train,dev,front_end}/{wav.scp,utt2spk} \
  makes "$data"/{train,dev,front_end}.pack; then
  for part in train dev front_end; do
    $cmd "$data/log/pack_$part.log" vqspeech pack "$data/$part" "$data/$part.pack" --pitch --jobs "$nj"
  done
  end_stage
fi

marks=$out
if begin_stage 2 "train the front end" reads "$data"/{front_end,dev}.pack \
  guards "$out"/front_end/checkpoints/{last.pt,best}; then
  # shellcheck disable=SC2086  # --front-end-changes are several words
  $train_cmd --gpu "$ngpu" "$out/log/front_end.log" "${launch[@]}" train "$front_end" \
    --data "$data/front_end.pack" --dev "$data/dev.pack" --out "$out/front_end" --threads "$threads" \
    --device "$device" $front_end_changes
  end_stage
fi

# judge NAME MODEL DATA [OPTION]...: a conversion report of DATA's recordings, in $out/NAME.
judge() {
  # shellcheck disable=SC2206  # several speakers and metrics
  local asked=(evaluate conversion --model "$2" --data "$3" --references "$data/train"
    --targets $vctk_speakers $arctic_speakers --pairs "$pairs" --precision int8 --metrics $metrics ${whisper:+--whisper "$whisper"} "${@:4}" --out "$out/$1")
  $cmd JOB=1:"$nj" --done "$work/$1.JOB" "$out/log/$1.JOB.log" vqspeech "${asked[@]}" --shard JOB/"$nj"
  vqspeech "${asked[@]}"
}

if begin_stage 3 "codes through the mel head" reads "$out/front_end/checkpoints/best/model.safetensors" \
  "$data"/{test,left_out/test}/wav.scp makes "$out"/codes_{known,left_out}/RESULTS.json; then
  judge codes_known "$out/front_end" "$data/test" --through mel
  judge codes_left_out "$out/front_end" "$data/left_out/test" --through mel
  end_stage
fi

if begin_stage 4 "train the decoder" reads "$data"/{train,dev}.pack "$out/front_end/checkpoints/best/model.safetensors" \
  guards "$out"/decoder/checkpoints/{last.pt,best}; then
  # shellcheck disable=SC2086  # --decoder-changes are several words
  $train_cmd --gpu "$ngpu" "$out/log/decoder.log" "${launch[@]}" train "$decoder" \
    --from "$out/front_end" --data "$data/train.pack" --dev "$data/dev.pack" --out "$out/decoder" \
    --threads "$threads" --device "$device" $from_scratch $decoder_changes
  end_stage
fi

if begin_stage 5 "conversion reports" reads "$out/decoder/checkpoints/best/model.safetensors" \
  "$data"/{test,left_out/test}/wav.scp makes "$out"/{known,left_out}/RESULTS.json; then
  judge known "$out/decoder" "$data/test"
  judge left_out "$out/decoder" "$data/left_out/test"
  end_stage
fi
