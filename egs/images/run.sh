#!/usr/bin/env bash
# Images: the paper's sections 4.1 and 4.2 with the quantiser, the trainer and the prior that learn speech. A small 2-D
# encoder and decoder, codes in raster order, and over them the package's causal prior and a PixelCNN.
#
#   egs/images/run.sh --config conf/quick.conf              # minutes on one core, no download
#   egs/images/run.sh [--dataset "digits photos"] [--ngpu 1] [--stage N] [--stop-stage N]
#   egs/images/run.sh --folder DIR                          # your own images, sub-folders are classes
#   egs/images/run.sh --dataset cifar10                     # downloads CIFAR-10's binary form, 162 MB
#
# Stages, each for every set of images:
#   1  images: scikit-learn's digits, patches of its two photographs, or those of --folder or --dataset
#   2  train a VQ-VAE, conf/NAME.yaml (conf/photos.yaml where there is none of that name)
#   3  encode
#   4  priors over the codes, given the class: causal convolutions (vqspeech train-prior) and masked ones
#   5  measure: reconstruction beside PCA and k-means at equal bits, bits per code and dimension, samples
#   6  results.html
#
# More options: --size N (rows and columns of an image of photos or --folder), --changes "K=V ..." (of the VQ-VAE's
# numbers), --prior-changes "K=V ..." (of the causal prior's), --masked-changes "K=V ...", --samples N (of each class),
# --data DIR, --exp DIR, --tag NAME.
set -euo pipefail
recipe=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$recipe/path.sh"
. "$recipe/cmd.sh"

stage=1
stop_stage=6
dataset="digits photos"
folder=
size=32
changes=
prior_changes=
masked_changes=
samples=20
tag=
data=$recipe/data
exp=$recipe/exp
ngpu=0
. parse_options.sh
. stages.sh
absolute folder data exp

if [[ -n $folder ]]; then
  dataset=folder
fi
local=$recipe/local
exp=$exp/${tag:-${dataset// /-}}
read -r -a sets <<<"$dataset"
images=("${sets[@]/#/$data/}")
images=("${images[@]/%/.npz}")
exps=("${sets[@]/#/$exp/}")

marks=$data
if begin_stage 1 "images" reads "$local"/{prepare,pictures}.py makes "${images[@]}"; then
  for name in "${sets[@]}"; do
    python3 "$local/prepare.py" "$name" "$data/$name.npz" --size "$size" --downloads "$recipe/downloads" \
      ${folder:+--folder "$folder"}
  done
  end_stage
fi

marks=$exp
if begin_stage 2 "VQ-VAE" reads "${images[@]}" "$recipe"/conf/{digits,photos}.yaml \
  guards "${exps[@]/%//model/checkpoints/best/model.safetensors}"; then
  for name in "${sets[@]}"; do
    conf=$recipe/conf/$name.yaml
    [[ -f $conf ]] || conf=$recipe/conf/photos.yaml
    # shellcheck disable=SC2086  # $changes is a list
    python3 "$local/train.py" "$conf" "$data/$name.npz" "$exp/$name/model" --device "$device" $changes
  done
  end_stage
fi

if begin_stage 3 "encode" reads "${images[@]}" "${exps[@]/%//model/checkpoints/best/model.safetensors}" \
  makes "${exps[@]/%//codes/train.txt}"; then
  for name in "${sets[@]}"; do
    python3 "$local/encode.py" "$exp/$name/model/checkpoints/best" "$data/$name.npz" "$exp/$name/codes"
  done
  end_stage
fi

if begin_stage 4 "priors" reads "${exps[@]/%//codes/train.txt}" "$recipe"/conf/{prior,masked}.yaml \
  guards "${exps[@]/%//prior/checkpoints/best/prior.safetensors}" "${exps[@]/%//masked/checkpoints/best/masked.safetensors}"; then
  for name in "${sets[@]}"; do
    codes=$exp/$name/codes
    # shellcheck disable=SC2086  # they are lists
    vqspeech train-prior "$recipe/conf/prior.yaml" --codes "$codes/train.txt" --dev "$codes/dev.txt" \
      --utt2spk "$codes/utt2spk" --out "$exp/$name/prior" --device "$device" $prior_changes
    # shellcheck disable=SC2086
    python3 "$local/train_masked.py" "$recipe/conf/masked.yaml" "$codes" "$exp/$name/masked" --device "$device" \
      $masked_changes
  done
  end_stage
fi

if begin_stage 5 "measure" reads "${images[@]}" "${exps[@]/%//masked/checkpoints/best/masked.safetensors}" \
  "$local/measure.py" makes "${exps[@]/%//RESULTS.json}" "${exps[@]/%//shown.npz}"; then
  for name in "${sets[@]}"; do
    python3 "$local/measure.py" "$exp/$name" "$data/$name.npz" --samples "$samples"
  done
  end_stage
fi

if begin_stage 6 "results" reads "${exps[@]/%//RESULTS.json}" "$local"/page{,_pictures}.py makes "$exp/results.html"; then
  python3 "$local/page.py" "$exp/results.html" "${exps[@]}"
  end_stage
fi
