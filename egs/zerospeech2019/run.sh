#!/usr/bin/env bash
# ZeroSpeech 2019, "TTS without T": units discovered in speech without labels, and the test sentences said again in the
# target voices, laid out as the challenge wants a submission.
#
#   egs/zerospeech2019/run.sh --corpus DIR [--language english] [--ngpu 1] [--nj 8] [--stage N] [--stop-stage N]
#
# --corpus holds the challenge's folders (zerospeech.com): english/train/unit, english/train/voice, english/test and
# english/synthesis.txt; the same for the surprise language.
#
# Stages:
#   1  data directories: train and dev (unit and voice), test, and what is to be said by each target voice
#   2  pack: one file to train from
#   3  train --conf, a preset or a YAML file; units-50hz is a unit model without voices, with which stages 5 and 6 are
#      left out
#   4  encode test
#   5  convert: the test sentences in the target voices
#   6  submission: LANGUAGE/test/*.txt (a row of numbers per code), LANGUAGE/test/*.wav and metadata.yaml, in a ZIP
#
# More options: --author NAME, --affiliation NAME (for metadata.yaml), --changes "K=V ..." (of the numbers of --conf),
# --perturbed-copies N (copies in other voices, as --conf wants), --data DIR, --exp DIR, --tag NAME.
set -euo pipefail
recipe=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$recipe/path.sh"
. "$recipe/cmd.sh"

stage=1
stop_stage=6
corpus=
language=english
author=unknown
affiliation=unknown
conf=small
changes=
perturbed_copies=2
tag=
data=$recipe/data
exp=$recipe/exp
nj=4
ngpu=0
. parse_options.sh
. stages.sh
need corpus "the folder that holds $language/train, $language/test and $language/synthesis.txt"
absolute corpus data exp

data=$data/$language
model=$(config_file "$recipe/conf" "$conf")
trainer=train
if units_only "$model"; then
  trainer=train-units perturbed_copies=0
fi
exp=$exp/$language-${tag:-$(basename "$model" .yaml)}

marks=$data
if begin_stage 1 "data directories" reads "$corpus/$language" "$recipe/local/prepare.py" \
  makes "$data"/{train,dev,test,synthesis}; then
  python3 "$recipe/local/prepare.py" "$corpus/$language" "$data"
  vqspeech validate --no-text "$data"/{train,dev,test} "$data"/synthesis/*
  end_stage
fi

if begin_stage 2 "packs" reads "$data"/{train,dev}/wav.scp makes "$data"/{train,dev}.pack; then
  pack_data train --perturbed-copies "$perturbed_copies"
  pack_data dev
  end_stage
fi

best=$exp/checkpoints/best/model.safetensors
marks=$exp
if begin_stage 3 "train $conf" reads "$data"/{train,dev}.pack "$model" \
  guards "$exp"/checkpoints/{last.pt,best}; then
  train_model "$trainer"
  end_stage
fi

if begin_stage 4 "encode test" reads "$best" "$data/test/wav.scp" makes "$exp/codes/test.txt"; then
  encode_data test --model "$exp"
  end_stage
fi

if [[ $trainer == train ]] && begin_stage 5 "convert" reads "$best" "$data"/synthesis/*/wav.scp makes "$exp/converted"; then
  for folder in "$data"/synthesis/*; do
    voice=$(basename "$folder")
    split_data "$folder"
    $cmd JOB=1:"$shards" --done "$split/JOB/.done" "$exp/log/convert_$voice.JOB.log" \
      vqspeech convert --model "$exp" --src "$split/JOB" --speaker "$voice" --out "$exp/converted"
  done
  end_stage
fi

if [[ $trainer == train ]] && begin_stage 6 "submission" reads "$best" "$exp/codes/test.txt" "$exp/converted" "$recipe/local/submission.py" \
  makes "$exp/submission.zip"; then
  python3 "$recipe/local/submission.py" --language "$language" --codes "$exp/codes/test.txt" --model "$exp" \
    --converted "$exp/converted" --synthesis "$data/synthesis" --author "$author" --affiliation "$affiliation" \
    --out "$exp/submission.zip"
  end_stage
fi
