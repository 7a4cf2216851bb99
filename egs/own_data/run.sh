#!/usr/bin/env bash
# Your own recordings, without labels: a model of their voices, their codes, and a report on converted speech.
#
#   egs/own_data/run.sh --recordings DIR [--conf decoder-125hz] [--ngpu 1] [--nj 4] [--stage N] [--stop-stage N]
#
# --recordings is a folder with one sub-folder per speaker, which holds recordings of any usual format, at any depth.
# Recordings that are added later are taken up when the recipe is run again.
#
# Stages:
#   1  data directories: train, dev, test
#   2  pack: one file to train from
#   3  train; --conf is a preset (vqspeech info NAME describes it) or a YAML file, --changes "K=V ..." alters its numbers. The
#      default, decoder-125hz, begins with the packaged model and keeps its codes, which unknown speakers are understood by;
#      others begin with --from MODEL, or from random weights
#   4  encode everything
#   5  report: every voice said again, and in the others' voices
#   6  RESULTS.md
#
# More options: --data DIR, --exp DIR, --tag NAME (of the run), --perturbed-copies N (copies in other
# voices, as --conf wants: 2 for small), --pairs N (to evaluate), --metrics "..." (of similarity words quality pitch cepstra).
set -euo pipefail
recipe=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$recipe/path.sh"
. "$recipe/cmd.sh"

stage=1
stop_stage=6
recordings=
conf=decoder-125hz
from=
changes=
tag=
data=$recipe/data
exp=$recipe/exp
perturbed_copies=0
pairs=24
metrics="similarity words quality pitch cepstra"
nj=4
ngpu=0
. parse_options.sh
. stages.sh
need recordings "a folder with one sub-folder of recordings per speaker"
absolute recordings data exp

[[ -n $from || $conf != decoder-125hz ]] || from=default
[[ -z $from ]] || from=$(model_named "$from" from)
model=$(config_file "$recipe/conf" "$conf")
exp=$exp/${tag:-$(basename "$model" .yaml)}

marks=$data
if begin_stage 1 "data directories" reads "$recordings" makes "$data"/{train,dev,test}; then
  vqspeech prepare folder "$recordings" "$data" --no-text
  vqspeech validate --no-text "$data"/{train,dev,test}
  end_stage
fi

if begin_stage 2 "packs" reads "$recordings" "$data"/{train,dev}/wav.scp makes "$data"/{train,dev}.pack; then
  pack_data train --pitch --perturbed-copies "$perturbed_copies"
  pack_data dev --pitch
  end_stage
fi

best=$exp/checkpoints/best/model.safetensors
marks=$exp
if begin_stage 3 "train $conf" reads "$data"/{train,dev}.pack "$model" \
  guards "$exp"/checkpoints/{last.pt,best}; then
  train_model train ${from:+--from "$from"}
  end_stage
fi

if begin_stage 4 "encode" reads "$best" "$data"/{train,dev,test}/wav.scp makes "$exp"/codes/{train,dev,test}.txt; then
  for part in train dev test; do
    encode_data "$part" --model "$exp"
  done
  end_stage
fi

conversion=()  # a voice alone cannot be converted
if [[ -f $data/test/spk2utt ]] && (($(wc -l <"$data/test/spk2utt") > 1)); then
  conversion=("$exp"/conversion/{wav,RESULTS.json})
fi
if begin_stage 5 "report" reads "$best" "$data"/{train,test}/wav.scp \
  makes "$exp"/reconstruction/{wav,RESULTS.json} "${conversion[@]}"; then
  for measure in reconstruction ${conversion:+conversion}; do
    evaluate_speech "$measure"
  done
  end_stage
fi

if begin_stage 6 "results" reads "$exp"/*/RESULTS.json makes "$exp/RESULTS.md"; then
  vqspeech results "$exp"
  end_stage
fi

if ((stop_stage >= 6)); then
  read -r speaker _ <"$data/train/spk2utt"
  echo "Results: $exp/RESULTS.md; to listen: reconstruction/report.html beside it"
  echo "Convert with it: vqspeech convert --model $exp --src a.wav --speaker $speaker"
fi
