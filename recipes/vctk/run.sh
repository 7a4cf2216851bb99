#!/usr/bin/env bash
# The paper's experiment on VCTK, stage by stage: from the corpus on disk to a phoneme report and a conversion report.
#
#   recipes/vctk/run.sh --corpus VCTK-Corpus-0.92 [--stage N] [--stop-stage N] [--preset paper-25hz] [--tag NAME]
#                       [--speakers "p225 p226"] [--data data/vctk] [--jobs 2] [--device auto] [--changes "KEY=VALUE ..."]
#                       [--pairs 24]
#
# Stages:
#   1  data directories: train, dev, test, split by utterance, speakers shared
#   2  phones of train and test, by forced alignment
#   3  pack: one file to train from
#   4  train --preset in exp/vctk/TAG (the preset's name if not given)
#   5  encode train and test
#   6  phoneme report: the map from codes to phones learnt on train, scored on test
#   7  conversion report, with the judges that are installed
#
# --preset is paper-25hz (phonemes), paper-64x (conversion; a GPU is wanted) or any other; --changes alters its numbers.
# Every stage goes on where it was interrupted. --stage 4 begins there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

stage=1
stop_stage=7
corpus=
preset=paper-25hz
tag=
speakers=
data=data/vctk
jobs=2
device=auto
changes=
pairs=24
. tools/parse_options.sh

exp=exp/vctk/${tag:-$(basename "$preset" .yaml)}
vqspeech=.venv/bin/vqspeech
read -ra chosen <<<"$speakers"
read -ra altered <<<"$changes"
runs() { ((stage <= $1 && $1 <= stop_stage)); }
say() { printf '\n== stage %s\n' "$*"; }

tools/setup.sh

if runs 1; then
  say "1: data directories in $data"
  if [[ -z $corpus ]]; then
    echo "$0: --corpus is missing: the folder VCTK-Corpus-0.92 ($0 --help)" >&2
    exit 2
  fi
  "$vqspeech" prepare vctk "$corpus" "$data" ${chosen[@]:+--speakers "${chosen[@]}"}
  for part in train dev test; do
    "$vqspeech" validate "$data/$part"
  done
fi

if runs 2; then
  say "2: phones"
  for part in train test; do
    "$vqspeech" align "$data/$part" --jobs "$jobs"
  done
fi

if runs 3; then
  say "3: pack"
  [[ -f $data/train.pack ]] || "$vqspeech" pack "$data/train" "$data/train.pack" --disguises 2 --jobs "$jobs"
  [[ -f $data/dev.pack ]] || "$vqspeech" pack "$data/dev" "$data/dev.pack" --jobs "$jobs"
fi

if runs 4; then
  say "4: train $preset in $exp"
  "$vqspeech" train "$preset" --data "$data/train.pack" --dev "$data/dev.pack" --out "$exp" --device "$device" \
    "${altered[@]}"
fi

if runs 5; then
  say "5: encode"
  for part in train test; do
    "$vqspeech" encode "$data/$part" --model "$exp" --out "$exp/codes/$part.txt"
  done
fi

if runs 6; then
  say "6: phoneme report"
  "$vqspeech" evaluate phonemes --codes "$exp/codes/test.txt" --phones "$data/test/phones.ctm" --data "$data/test" \
    --train-codes "$exp/codes/train.txt" --train-phones "$data/train/phones.ctm" --train-data "$data/train" \
    --out "$exp/phonemes"
fi

if runs 7; then
  say "7: conversion report"
  "$vqspeech" evaluate conversion --model "$exp" --data "$data/test" --references "$data/train" --pairs "$pairs" \
    --out "$exp/conversion"
fi

printf '\nReports: %s/phonemes/report.html and %s/conversion/report.html\n' "$exp" "$exp"
