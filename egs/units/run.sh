#!/usr/bin/env bash
# The packaged unit model: 256 units at 50 Hz, near to phones, without labels and without voices.
#
#   egs/units/run.sh --librispeech DIR [--more "DIR ..."] [--nj 2] [--ngpu 0] [--stage N] [--stop-stage N]
#
# --librispeech  a part of LibriSpeech with the readers named below: train-clean-5 of mini LibriSpeech, train-clean-100
# --more         Kaldi data directories of further speakers to train on (the packaged model: 574 voices, 12 hours)
# --model        measure this model in place of one that is trained here: a packaged one by name, a model directory, an
#                experiment; stages 3 and 4 are left out
#
# Stages:
#   1  data directories: train; the map from units to phones (readers trained on, other utterances); development and
#      report, three readers each that nothing is trained on. What is chosen is chosen on development alone
#   2  phones of map, development and report, by forced alignment; packs
#   3  train: masked prediction of clusters of cepstra (--conf units-50hz)
#   4  again and again, --iterations in all: masked prediction of the units of the iteration before, from its weights
#   5  encode
#   6  measures on development and report: phonemes with MFCC k-means of the same size and rate beside them, ABX of
#      vectors and of units, how much of the speaker is in the units, segmentation, robustness to noise and the like
#   7  RESULTS.md
#
# More options: --changes "K=V ..." (of the numbers of every iteration), --deeper "K=V ..." (from the third on), --last
# "K=V ..." (of the last; as they are here, it is as long as the others together), --share S (of the readers'
# utterances that the map is learnt on), --tokens N (of each phone, for ABX), --recordings N (for robustness),
# --speakers "...", --development "..." and --report "..." (readers), --threads N (to train with), --data DIR,
# --exp DIR, --tag NAME.
set -euo pipefail
recipe=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$recipe/path.sh"
. "$recipe/cmd.sh"

stage=1
stop_stage=7
librispeech=
more=
model=
conf="units-50hz"
iterations=4
changes=
deeper="training.predictor=[8,1,2,4,8,16] training.warp=0.85 training.hold=150
  training.targets.units=512 training.targets.duration_penalty=0.2"
last="training.steps=3600"
share=0.22
tokens=10
recordings=50
speakers="19 26 27 32 118 163 226 332 460 669 1088 1867 1898 1970 2416 3242 3526 3947 4680 5789 6848 7312 7859 8629"
# Never trained on by any packaged model: women and men.
# shellcheck disable=SC2034  # read by ${!part}
development="1737 2136 3664"
# shellcheck disable=SC2034
report="4640 6272 7367"
threads=1
tag=
data=$recipe/data
exp=$recipe/exp
nj=2
ngpu=0
. parse_options.sh
. stages.sh
absolute librispeech data exp
[[ -z $model ]] || model=$(model_named "$model")

preset=$(config_file "$recipe/conf" "$conf")
exp=$exp/${tag:-$(basename "${model:-$preset}" .yaml)}
parts="map development report"

marks=$data
# shellcheck disable=SC2086  # readers and folders are several words
if begin_stage 1 "data directories" makes "$data"/{train,dev,map,development,report}; then
  need librispeech "LibriSpeech's folder"
  vqspeech prepare librispeech "$librispeech" "$data/known" --speakers $speakers --dev 0.01 --test "$share" --at-least 2
  for part in development report; do
    # What the command keeps back for training is left unused.
    vqspeech prepare librispeech "$librispeech" "$data/strangers/$part" --speakers ${!part} --dev 0 --test 0.9 --at-least 4
    vqspeech combine "$data/$part" "$data/strangers/$part/test"
  done
  vqspeech combine "$data/map" "$data/known/test"
  vqspeech combine "$data/dev" "$data/known/dev"
  vqspeech combine "$data/train" "$data/known/train" $more
  vqspeech validate --no-text "$data"/{train,dev,map,development,report}
  end_stage
fi

if begin_stage 2 "phones and packs" reads "$data"/{train,dev,map,development,report}/wav.scp \
  makes "$data"/{map,development,report}/phones.ctm "$data"/{train,dev}.pack; then
  for part in $parts; do
    align_data "$part"
  done
  for part in train dev; do
    pack_data "$part"
  done
  end_stage
fi

marks=$exp
last_iteration=$exp/iteration_$iterations
if [[ -z $model ]] && begin_stage 3 "train on clusters of cepstra" reads "$data"/{train,dev}.pack "$preset" \
  guards "$exp"/iteration_1/checkpoints/{last.pt,best}; then
  # shellcheck disable=SC2086  # --changes are several words
  $train_cmd --gpu "$ngpu" "$exp/log/iteration_1.log" "${launch[@]}" train-units "$preset" --data "$data/train.pack" \
    --dev "$data/dev.pack" --out "$exp/iteration_1" --threads "$threads" --device "$device" $changes
  end_stage
fi

if [[ -z $model ]] && begin_stage 4 "train on units" reads "$data"/{train,dev}.pack "$preset" \
  "$exp/iteration_1/checkpoints/best/model.safetensors" guards "$last_iteration"/checkpoints/{last.pt,best}; then
  for ((number = 2; number <= iterations; number++)); do
    numbers=$changes
    ((number < 3)) || numbers="$deeper $numbers"
    ((number < iterations)) || numbers="$last $numbers"
    before=$exp/iteration_$((number - 1))
    # shellcheck disable=SC2086  # the numbers are several words
    $train_cmd --gpu "$ngpu" "$exp/log/iteration_$number.log" "${launch[@]}" train-units "$preset" \
      --data "$data/train.pack" --dev "$data/dev.pack" --targets "$before" --from "$before" \
      --out "$exp/iteration_$number" --threads "$threads" --device "$device" $numbers
  done
  end_stage
fi
model=${model:-$last_iteration/checkpoints/best}

if begin_stage 5 "encode" reads "$model/model.safetensors" "$data"/{map,development,report}/wav.scp \
  makes "$exp"/codes/{map,development,report}.txt; then
  for part in $parts; do
    encode_data "$part" --model "$model"
  done
  end_stage
fi

if begin_stage 6 "measures" reads "$exp"/codes/{map,development,report}.txt \
  "$data"/{map,development,report}/phones.ctm makes "$exp"/{development,report}/{RESULTS,abx,speakers,segmentation}.json \
  "$exp"/{development,report}/robustness.json "$exp/map/speakers.json"; then
  for part in development report; do
    units=(--codes "$exp/codes/$part.txt" --phones "$data/$part/phones.ctm")
    vqspeech evaluate phonemes "${units[@]}" --data "$data/$part" --train-codes "$exp/codes/map.txt" \
      --train-phones "$data/map/phones.ctm" --train-data "$data/map" --mfccs "$work/mfccs" \
      --codebook "$model" --out "$exp/$part"
    vqspeech evaluate abx "${units[@]}" --codebook "$model" --data "$data/$part" --max-size-group "$tokens" \
      --out "$exp/$part"
    vqspeech evaluate speakers "${units[@]}" --out "$exp/$part"
    vqspeech evaluate segmentation "${units[@]}" --codebook "$model" --out "$exp/$part"
    vqspeech evaluate robustness --data "$data/$part" --model "$model" --recordings "$recordings" --kmeans \
      --out "$exp/$part"
  done
  # The probe needs more readers than development and report have; these were trained on.
  vqspeech evaluate speakers --codes "$exp/codes/map.txt" --phones "$data/map/phones.ctm" --data "$data/map" \
    --out "$exp/map"
  end_stage
fi

if begin_stage 7 "results" reads "$exp"/{development,report}/{RESULTS,abx,speakers,segmentation,robustness}.json \
  makes "$exp/RESULTS.md"; then
  vqspeech results "$exp" --title "Units, $(basename "$exp")"
  end_stage
fi
