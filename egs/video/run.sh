#!/usr/bin/env bash
# Video: the paper's section 4.4 in small. Films of two moving digits become codes, frame by frame, and a prior goes on
# from four frames with sixteen more, given the actions that one of the digits obeys or not given them.
#
#   egs/video/run.sh --config conf/quick.conf       # minutes on one core, no download
#   egs/video/run.sh [--ngpu 1] [--stage N] [--stop-stage N]
#
# Stages:
#   1  films, made from scikit-learn's digits by --seed
#   2  train a VQ-VAE of frames
#   3  encode
#   4  prior: codes of a frame given the frames before and the action
#   5  measure: where the digits are in generated films, against the true ones and against copying
#   6  results.html
#
# The encoder, the decoder and the masked convolutions are those of ../images.
#
# More options: --films N (to train on), --test N (films to generate), --changes "K=V ..." (of the VQ-VAE's numbers),
# --prior-changes "K=V ...", --temperature T (of the samples), --data DIR, --exp DIR, --tag NAME.
set -euo pipefail
recipe=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$recipe/path.sh"
. "$recipe/cmd.sh"

stage=1
stop_stage=6
films=1500
test=100
seed=0
changes=
prior_changes=
temperature=1.0
tag=
data=$recipe/data
exp=$recipe/exp
ngpu=0
. parse_options.sh
. stages.sh
absolute data exp

local=$recipe/local
images=$VQSPEECH_ROOT/egs/images/local
export PYTHONPATH=$images${PYTHONPATH:+:$PYTHONPATH}
exp=$exp/${tag:-default}
best=$exp/model/checkpoints/best

marks=$data
if begin_stage 1 "films" reads "$local"/{make_films,moving_digits}.py makes "$data"/{train,dev,test,frames}.npz; then
  python3 "$local/make_films.py" "$data" --train "$films" --test "$test" --seed "$seed"
  end_stage
fi

marks=$exp
if begin_stage 2 "VQ-VAE" reads "$data/frames.npz" "$recipe/conf/frames.yaml" guards "$best/model.safetensors"; then
  # shellcheck disable=SC2086  # $changes is a list
  python3 "$images/train.py" "$recipe/conf/frames.yaml" "$data/frames.npz" "$exp/model" --device "$device" $changes
  end_stage
fi

if begin_stage 3 "encode" reads "$data"/{train,dev,test}.npz "$best/model.safetensors" \
  makes "$exp"/codes/{train,dev,test}.{txt,npz}; then
  python3 "$local/encode_films.py" "$best" "$data" "$exp/codes"
  end_stage
fi

if begin_stage 4 "prior" reads "$exp"/codes/{train,dev}.txt "$recipe/conf/prior.yaml" \
  guards "$exp/prior/checkpoints/best/masked.safetensors"; then
  # shellcheck disable=SC2086
  python3 "$local/train_films.py" "$recipe/conf/prior.yaml" "$exp/codes" "$exp/prior" --device "$device" $prior_changes
  end_stage
fi

if begin_stage 5 "measure" reads "$data/test.npz" "$exp/codes/test.npz" "$best/model.safetensors" \
  "$exp/prior/checkpoints/best/masked.safetensors" "$local/measure_films.py" makes "$exp"/{RESULTS.json,shown.npz}; then
  python3 "$local/measure_films.py" "$exp" "$data" --temperature "$temperature"
  end_stage
fi

if begin_stage 6 "results" reads "$exp"/{RESULTS.json,shown.npz} "$local/films_page.py" makes "$exp/results.html"; then
  python3 "$local/films_page.py" "$exp/results.html" "$exp"
  end_stage
fi
