#!/usr/bin/env bash
# CMU ARCTIC: the same prompts read by several people, so that a conversion can be held against the target's own reading
# of the same words, as mel-cepstral distortion.
#
#   egs/arctic/run.sh [--corpus DIR] [--voices "bdl slt clb rms"] [--conf small] [--nj 4] [--stage N] [--stop-stage N]
#
# Stages:
#   0  the voices from festvox.org, unless --corpus, the folder that holds cmu_us_bdl_arctic and others, has them
#   1  data directories; a prompt goes to one part with all its readings
#   2  pack: one file to train from
#   3  train --conf, a preset or a YAML file
#   4  conversion report, with the distortion to the target's reading
#   5  RESULTS.md
#
# More options: --changes "K=V ..." (of the numbers of --conf), --perturbed-copies N
# (copies in other voices, as --conf wants), --pairs N, --metrics "...", --data DIR, --exp DIR, --tag NAME, --ngpu N.
set -euo pipefail
recipe=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$recipe/path.sh"
. "$recipe/cmd.sh"

stage=0
stop_stage=5
corpus=$recipe/downloads
voices="bdl slt clb rms"
conf=small
changes=
perturbed_copies=2
pairs=48
metrics="similarity words quality pitch cepstra"
tag=
data=$recipe/data
exp=$recipe/exp
nj=4
ngpu=0
. parse_options.sh
. stages.sh
absolute corpus data exp

model=$(config_file "$recipe/conf" "$conf")
exp=$exp/${tag:-$(basename "$model" .yaml)}

marks=$data
if begin_stage 0 "corpus in $corpus" reads "$recipe/conf/sums" updates "$corpus"; then
  for voice in $voices; do
    name=cmu_us_${voice}_arctic
    checksum=$(awk -v voice="$voice" '$1 == voice { print $2 }' "$recipe/conf/sums")
    vqspeech fetch "http://festvox.org/cmu_arctic/packed/$name.tar.bz2" --checksum "sha256:$checksum" \
      --out "$corpus/$name.tar.bz2" --unpack "$corpus/$name"
  done
  end_stage
fi

if begin_stage 1 "data directories" makes "$data"/{train,dev,test}; then
  # shellcheck disable=SC2086  # --voices are several words
  vqspeech prepare arctic "$corpus" "$data" --speakers $voices
  vqspeech validate "$data"/{train,dev,test}
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
  train_model train
  end_stage
fi

if begin_stage 4 "conversion report" reads "$best" "$data"/{train,test}/wav.scp \
  makes "$exp"/conversion/{wav,RESULTS.json}; then
  evaluate_speech conversion
  end_stage
fi

if begin_stage 5 "results" reads "$exp/conversion/RESULTS.json" makes "$exp/RESULTS.md"; then
  vqspeech results "$exp" --title "CMU ARCTIC, $(basename "$exp")"
  end_stage
fi
