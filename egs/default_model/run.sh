#!/usr/bin/env bash
# Trains the model that ships in the package, from public corpora: VCTK, CMU ARCTIC and LibriSpeech.
#
#   egs/default_model/run.sh --vctk DIR --arctic DIR --librispeech DIR [--stage N] [--stop-stage N]
#                            [--data data/default_model] [--out exp/default_model] [--jobs 2] [--threads 1]
#                            [--device auto]
#
# --vctk         VCTK-Corpus-0.92 (the 0.80 layout will do as well)
# --arctic       a folder that holds cmu_us_bdl_arctic and cmu_us_slt_arctic
# --librispeech  a part of LibriSpeech that holds the readers named below: train-clean-5 of mini LibriSpeech has most,
#                train-clean-100 all; readers that are absent are left out with a word
#
# Stages:
#   0  data directories: train, dev, test, split by utterance, speakers shared
#   1  pack: one file to train from, with two disguised copies of each utterance
#   2  train the preset `small` (75 min on one core of an AMD EPYC, Zen 4)
#   3  measure it on the test part
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

stage=0
stop_stage=3
vctk=
arctic=
librispeech=
data=data/default_model
out=exp/default_model
jobs=2
threads=1
device=auto
. tools/parse_options.sh

vctk_speakers=(p225 p226 p227 p228 p239)
readers=(26 27 32 118 163 332 669 1088 1867 1898 2416 3242)
parts=(--dev 0.01 --test 0.03 --at-least 2)
vqspeech=.venv/bin/vqspeech
runs() { ((stage <= $1 && $1 <= stop_stage)); }

if runs 0; then
  for corpus in vctk arctic librispeech; do
    if [[ -z ${!corpus} ]]; then
      echo "$0: --$corpus is missing ($0 --help)" >&2
      exit 2
    fi
  done
  "$vqspeech" prepare vctk "$vctk" "$data/vctk" --speakers "${vctk_speakers[@]}" "${parts[@]}"
  "$vqspeech" prepare arctic "$arctic" "$data/arctic" "${parts[@]}"
  "$vqspeech" prepare librispeech "$librispeech" "$data/librispeech" --speakers "${readers[@]}" "${parts[@]}"
  for part in train dev test; do
    "$vqspeech" combine "$data/$part" "$data"/{vctk,arctic,librispeech}/$part
    "$vqspeech" validate "$data/$part"
  done
fi

if runs 1; then
  "$vqspeech" pack "$data/train" "$data/train.pack" --disguises 2 --jobs "$jobs"
  "$vqspeech" pack "$data/dev" "$data/dev.pack" --jobs "$jobs"
fi

if runs 2; then
  "$vqspeech" train small --data "$data/train.pack" --dev "$data/dev.pack" --out "$out" \
    --threads "$threads" --device "$device"
fi

if runs 3; then
  "$vqspeech" evaluate conversion --model "$out" --data "$data/test" --targets "${vctk_speakers[@]}" bdl slt \
    --out "$out/conversion"
fi
