#!/usr/bin/env bash
# LibriSpeech: the paper's prior. Codes of 128 samples, and over them a WaveNet that has learnt what comes after what.
#
#   egs/librispeech/run.sh [--corpus LibriSpeech] [--ngpu 8] [--nj 16] [--stage N] [--stop-stage N]
#   egs/librispeech/run.sh --config conf/quick.conf [--corpus LibriSpeech]          # all stages in minutes, on a CPU
#
# Stages:
#   0  the parts train-clean-100 and train-clean-360 from openslr.org (30 GB), unless --corpus says where LibriSpeech is
#   1  data directories: train, dev, test, split by utterance, speakers shared
#   2  pack: one file to train from
#   3  train --conf, paper-128x, which wants GPUs; units-50hz is a unit model, which has no voices: what its prior says is
#      measured as units alone
#   4  encode
#   5  prior over the codes, which it is scored by on test
#   6  samples: what model and prior say by themselves, 2.56 s each (320 codes, as in the paper), and a report on it
#   7  RESULTS.md
#
# More options: --conf NAME|FILE, --changes "K=V ..." (of its numbers), --prior NAME|FILE, --prior-changes "K=V ...",
# --speakers A,B (these alone), --samples N, --seconds S, --data DIR, --exp DIR, --tag NAME.
set -euo pipefail
recipe=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$recipe/path.sh"
. "$recipe/cmd.sh"

stage=0
stop_stage=7
corpus=
speakers=
conf=paper-128x
changes=
prior=paper
prior_changes=
samples=16
seconds=2.56
tag=
data=$recipe/data
exp=$recipe/exp
nj=4
ngpu=0
. parse_options.sh
. stages.sh
absolute corpus data exp

downloads=${corpus:-$recipe/downloads}
model=$(config_file "$recipe/conf" "$conf")
trainer=train
speak=(--speak)
if units_only "$model"; then
  trainer=train-units speak=()
fi
exp=$exp/${tag:-$(basename "$model" .yaml)}

marks=$data
if begin_stage 0 "corpus in $downloads" updates "$downloads"; then
  if [[ -z $corpus ]]; then
    while read -r name checksum; do
      vqspeech fetch "https://www.openslr.org/resources/12/$name.tar.gz" --checksum "sha256:$checksum" \
        --out "$downloads/$name.tar.gz" --unpack "$downloads/$name"
    done <<'SUMS'
train-clean-100 d4ddd1d5a6ab303066f14971d768ee43278a5f2a0aa43dc716b0e64ecbbbf6e2
train-clean-360 146a56496217e96c14334a160df97fffedd6e0a04e66b9c5af0d40be3c792ecf
SUMS
  fi
  end_stage
fi

if begin_stage 1 "data directories" makes "$data"/{train,dev,test}; then
  vqspeech prepare librispeech "$downloads" "$data" ${speakers:+--speakers "$speakers"}
  vqspeech validate "$data"/{train,dev,test}
  end_stage
fi

if begin_stage 2 "packs" reads "$data"/{train,dev}/wav.scp makes "$data"/{train,dev}.pack; then
  pack_data train
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

if begin_stage 4 "encode" reads "$best" "$data"/{train,dev,test}/wav.scp makes "$exp"/codes/{train,dev,test}.txt; then
  for part in train dev test; do
    encode_data "$part" --model "$exp"
  done
  end_stage
fi

if begin_stage 5 "prior" reads "$exp"/codes/{train,dev,test}.txt makes "$exp/prior" "$exp/prior/scores.txt"; then
  train_prior
  vqspeech score --codes "$exp/codes/test.txt" --utt2spk "$data/test/utt2spk" --prior "$exp/prior" \
    --out "$exp/prior/scores.txt"
  end_stage
fi

if begin_stage 6 "samples" reads "$best" "$exp/prior/scores.txt" "$exp"/codes/{train,test}.txt \
  makes "$exp/report/RESULTS.json"; then
  [[ $trainer != train ]] || sample_prior "$samples" "$exp/samples"
  evaluate_prior "$exp/report" "${speak[@]}"
  end_stage
fi

if begin_stage 7 "results" reads "$exp/prior/scores.txt" "$exp/report/RESULTS.json" makes "$exp/RESULTS.md"; then
  vqspeech results "$exp" --title "LibriSpeech, $(basename "$exp")"
  end_stage
fi
