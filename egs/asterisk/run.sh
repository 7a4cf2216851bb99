#!/usr/bin/env bash
# The announcements of the Asterisk telephone system: real speech of five professional speakers in five languages, about
# two hours, which apt has on any Debian machine, with transcripts and without registration (CC BY-SA 3.0).
#
#   egs/asterisk/run.sh [--languages "en es fr it ru"] [--conf small] [--nj 4] [--stage N] [--stop-stage N]
#
# Stages:
#   0  the packages, by `apt-get download`: nothing is installed, and root is not needed
#   1  decode G.722 (by ffmpeg, or PyAV: pip install av)
#   2  data directories: train, dev, test, a speaker a language
#   3  pack: one file to train from
#   4  train --conf, a preset or a YAML file
#   5  encode
#   6  report: each voice said again and in the others' voices, across languages; how far the codes give the speaker away
#   7  RESULTS.md
#
# More options: --changes "K=V ..." (of the numbers of --conf), --perturbed-copies N (copies in other voices, as --conf wants),
# --pairs N, --metrics "...", --data DIR, --exp DIR, --tag NAME, --ngpu N.
set -euo pipefail
recipe=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$recipe/path.sh"
. "$recipe/cmd.sh"

stage=0
stop_stage=7
languages="en es fr it ru"
conf=small
changes=
perturbed_copies=2
pairs=40
metrics="similarity quality pitch"
tag=
data=$recipe/data
exp=$recipe/exp
nj=4
ngpu=0
. parse_options.sh
. stages.sh
absolute data exp

model=$(config_file "$recipe/conf" "$conf")
exp=$exp/${tag:-$(basename "$model" .yaml)}

marks=$data
if begin_stage 0 "packages" makes "$data/packages"; then
  for language in $languages; do
    "$recipe/local/unpack.sh" "asterisk-core-sounds-$language-g722" "$data/packages/$language"
    "$recipe/local/unpack.sh" "asterisk-core-sounds-$language" "$data/packages/$language"
  done
  end_stage
fi

if begin_stage 1 "decode" reads "$data/packages" makes "$data/wav"; then
  for language in $languages; do
    python3 "$recipe/local/decode.py" "$data/packages/$language" "$data/wav/$language"
  done
  end_stage
fi

if begin_stage 2 "data directories" reads "$data/wav" makes "$data"/{train,dev,test}; then
  vqspeech prepare folder "$data/wav" "$data"
  vqspeech validate "$data"/{train,dev,test}
  end_stage
fi

if begin_stage 3 "packs" reads "$data"/{train,dev}/wav.scp makes "$data"/{train,dev}.pack; then
  pack_data train --perturbed-copies "$perturbed_copies"
  pack_data dev
  end_stage
fi

best=$exp/checkpoints/best/model.safetensors
marks=$exp
if begin_stage 4 "train $conf" reads "$data"/{train,dev}.pack "$model" \
  guards "$exp"/checkpoints/{last.pt,best}; then
  train_model train
  end_stage
fi

if begin_stage 5 "encode" reads "$best" "$data/train/wav.scp" makes "$exp/codes/train.txt"; then
  encode_data train --model "$exp"
  end_stage
fi

if begin_stage 6 "report" reads "$best" "$exp/codes/train.txt" "$data/test/wav.scp" \
  makes "$exp"/{reconstruction,conversion}/{wav,RESULTS.json} "$exp/speakers.json"; then
  for measure in reconstruction conversion; do
    evaluate_speech "$measure"
  done
  vqspeech evaluate speakers --codes "$exp/codes/train.txt" --utt2spk "$data/train/utt2spk" --out "$exp"
  end_stage
fi

if begin_stage 7 "results" reads "$exp"/{reconstruction,conversion}/RESULTS.json "$exp/speakers.json" \
  makes "$exp/RESULTS.md"; then
  vqspeech results "$exp" --title "Asterisk, $(basename "$exp")"
  end_stage
fi
