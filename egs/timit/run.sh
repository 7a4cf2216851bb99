#!/usr/bin/env bash
# TIMIT: how close a model's codes are to phones that were labelled by hand. No aligner, and nothing is trained.
#
#   egs/timit/run.sh --corpus TIMIT [--model DIR] [--by official] [--nj 4] [--stage N] [--stop-stage N]
#
# --corpus is TIMIT as LDC gives it, or NLTK's sample of it (--by utterance: the sample has no test part of its own).
# --model is a model directory, an experiment, or a packaged model by its name, such as units; without, the default.
#
# Stages:
#   1  data directories, with phones.ctm from the hand labels
#   2  encode
#   3  phoneme report: the map from codes to phones learnt on train, scored on test
#   4  segmentation, ABX, and how much of the speaker is in the codes
#   5  RESULTS.md
#
# More options: --tokens N (of each phone, for ABX), --data DIR, --exp DIR, --tag NAME.
set -euo pipefail
recipe=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$recipe/path.sh"
. "$recipe/cmd.sh"

stage=1
stop_stage=5
corpus=
model=
by=official
tokens=10
tag=
data=$recipe/data
exp=$recipe/exp
nj=4
. parse_options.sh
. stages.sh
need corpus "the folder of TIMIT"
absolute corpus data exp
[[ -z $model ]] || model=$(model_named "$model")

exp=$exp/${tag:-$(basename "${model:-pretrained}")}

marks=$data
if begin_stage 1 "data directories" reads "$corpus" makes "$data"/{train,test}/phones.ctm; then
  vqspeech prepare timit "$corpus" "$data" --by "$by"
  vqspeech validate "$data"/{train,test}
  end_stage
fi

marks=$exp
if begin_stage 2 "encode" reads "$data"/{train,test}/wav.scp makes "$exp"/codes/{train,test}.txt; then
  for part in train test; do
    encode_data "$part" ${model:+--model "$model"}
  done
  end_stage
fi

if begin_stage 3 "phonemes" reads "$exp"/codes/{train,test}.txt "$data"/{train,test}/phones.ctm \
  makes "$exp/phonemes/RESULTS.json"; then
  vqspeech evaluate phonemes --codes "$exp/codes/test.txt" --phones "$data/test/phones.ctm" --data "$data/test" \
    --train-codes "$exp/codes/train.txt" --train-phones "$data/train/phones.ctm" --train-data "$data/train" \
    --codebook "${model:-default}" --out "$exp/phonemes"
  end_stage
fi

if begin_stage 4 "other measures" reads "$exp"/codes/{train,test}.txt "$data"/{train,test}/phones.ctm \
  makes "$exp"/{segmentation,abx,speakers}.json; then
  units=(--codes "$exp/codes/test.txt" --phones "$data/test/phones.ctm" --data "$data/test")
  vqspeech evaluate segmentation "${units[@]}" --codebook "${model:-default}" --out "$exp"
  vqspeech evaluate speakers --codes "$exp/codes/train.txt" --utt2spk "$data/train/utt2spk" --data "$data/train" \
    --out "$exp"
  vqspeech evaluate abx --codes "$exp/codes/train.txt" --phones "$data/train/phones.ctm" --data "$data/train" \
    --codebook "${model:-default}" --max-size-group "$tokens" --out "$exp"
  end_stage
fi

if begin_stage 5 "results" reads "$exp/phonemes/RESULTS.json" "$exp"/{segmentation,abx,speakers}.json \
  makes "$exp/RESULTS.md"; then
  vqspeech results "$exp" --title "TIMIT, $(basename "$exp")"
  end_stage
fi
