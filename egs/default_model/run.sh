#!/usr/bin/env bash
# Trains the model that ships in the package, from public corpora: VCTK, CMU ARCTIC and LibriSpeech.
#
#   egs/default_model/run.sh --vctk DIR --arctic DIR --librispeech DIR [--nj 2] [--ngpu 0] [--stage N] [--stop-stage N]
#
# --vctk         VCTK-Corpus-0.92 (the 0.80 layout will do as well)
# --arctic       a folder that holds cmu_us_bdl_arctic and cmu_us_slt_arctic
# --librispeech  a part of LibriSpeech that holds the readers named below: train-clean-5 of mini LibriSpeech has most,
#                train-clean-100 all; readers that are absent are left out with a word
#
# Stages:
#   0  data directories: train, dev, test, split by utterance, speakers shared
#   1  pack: one file to train from, with two perturbed copies of each utterance
#   2  train the preset `small` (165 min on one core of an AMD EPYC, Zen 4): DIR/small
#   3  let its decoder learn on, twice as deep, codes kept (conf/deeper.yaml; 95 min): DIR/deeper
#   4  measure that on the test part
#
# More options: --data DIR, --out DIR (the experiments), --threads N (to train with), --pairs N (to measure), --changes
# and --deeper-changes "K=V ..." (of the numbers of stages 2 and 3).
set -euo pipefail
recipe=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$recipe/path.sh"
. "$recipe/cmd.sh"

stage=0
stop_stage=4
vctk=
arctic=
librispeech=
data=$VQSPEECH_ROOT/data/default_model
out=$VQSPEECH_ROOT/exp/default_model
changes=
deeper_changes=
pairs=48
threads=1
nj=2
ngpu=0
. parse_options.sh
. stages.sh
absolute vctk arctic librispeech data out

vctk_speakers="p225 p226 p227 p228 p239"
readers="26 27 32 118 163 332 669 1088 1867 1898 2416 3242"
parts="--dev 0.01 --test 0.03 --at-least 2"

marks=$data
# shellcheck disable=SC2086  # speakers, readers and parts are several words
if begin_stage 0 "data directories" makes "$data"/{train,dev,test}; then
  need vctk "VCTK's folder"
  need arctic "the folder of cmu_us_bdl_arctic and cmu_us_slt_arctic"
  need librispeech "LibriSpeech's folder"
  vqspeech prepare vctk "$vctk" "$data/vctk" --speakers $vctk_speakers $parts
  vqspeech prepare arctic "$arctic" "$data/arctic" --speakers bdl slt $parts
  vqspeech prepare librispeech "$librispeech" "$data/librispeech" --speakers $readers $parts
  for part in train dev test; do
    vqspeech combine "$data/$part" "$data"/{vctk,arctic,librispeech}/$part
    vqspeech validate "$data/$part"
  done
  end_stage
fi

if begin_stage 1 "packs" reads "$data"/{train,dev}/{wav.scp,utt2spk} makes "$data"/{train,dev}.pack; then
  $cmd "$data/log/pack_train.log" vqspeech pack "$data/train" "$data/train.pack" --perturbed-copies 2 --jobs "$nj"
  $cmd "$data/log/pack_dev.log" vqspeech pack "$data/dev" "$data/dev.pack" --jobs "$nj"
  end_stage
fi

marks=$out
packs=(--data "$data/train.pack" --dev "$data/dev.pack")
if begin_stage 2 "train" reads "$data"/{train,dev}.pack guards "$out"/small/checkpoints/{last.pt,best}; then
  # shellcheck disable=SC2086  # --changes are several words
  $train_cmd --gpu "$ngpu" "$out/log/small.log" "${launch[@]}" train small "${packs[@]}" --out "$out/small" \
    --threads "$threads" --device "$device" $changes
  end_stage
fi

if begin_stage 3 "train on, deeper" reads "$data"/{train,dev}.pack "$out/small/checkpoints/best/model.safetensors" \
  guards "$out"/deeper/checkpoints/{last.pt,best}; then
  # shellcheck disable=SC2086  # --deeper-changes are several words
  $train_cmd --gpu "$ngpu" "$out/log/deeper.log" "${launch[@]}" train "$recipe/conf/deeper.yaml" \
    --from "$out/small" "${packs[@]}" --out "$out/deeper" --threads "$threads" --device "$device" $deeper_changes
  end_stage
fi

if begin_stage 4 "conversion report" reads "$out/deeper/checkpoints/best/model.safetensors" "$data/test/wav.scp" \
  makes "$out"/conversion/{wav,RESULTS.json}; then
  # shellcheck disable=SC2206  # several speakers
  asked=(evaluate conversion --model "$out/deeper" --data "$data/test" --targets $vctk_speakers bdl slt --pairs "$pairs"
    --out "$out/conversion")
  $cmd JOB=1:"$nj" --done "$work/JOB" "$out/log/conversion.JOB.log" vqspeech "${asked[@]}" --shard JOB/"$nj"
  vqspeech "${asked[@]}"
  end_stage
fi
