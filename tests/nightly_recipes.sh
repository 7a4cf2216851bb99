#!/usr/bin/env bash
# Every recipe in its quick form on real speech, where that is: what takes too long for the test suite.
#
#   tests/nightly_recipes.sh [--speech ../shared/data] [--recipes "vctk timit ..."] [--out exp/nightly]
#
# --speech holds VCTK-Corpus-0.92, LibriSpeech, cmu_us_bdl_arctic and cmu_us_slt_arctic, and timit; a recipe whose
# corpus is not there is left out with a word, asterisk where there is no apt-get or nothing to decode it with. Each has
# a log in --out; a run that was broken off goes on.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

speech=../shared/data
recipes="images video own_data quickstart timit vctk arctic librispeech zerospeech2019 asterisk units default_model"
out=exp/nightly
. tools/parse_options.sh

failed=()
# quick NAME SCRIPT CORPUS [OPTION...]: run a recipe, if what it needs is there.
quick() {
  local name=$1 script=$2 corpus=$3
  shift 3
  [[ " $recipes " == *" $name "* ]] || return 0
  if [[ -n $corpus && ! -e $corpus ]]; then
    echo "$name: left out, there is no $corpus"
    return 0
  fi
  local began=$SECONDS
  if "$script" "$@" >"$out/$name.log" 2>&1; then
    echo "$name: done in $((SECONDS - began)) s"
  else
    echo "$name: FAILED after $((SECONDS - began)) s, see $out/$name.log"
    tail -n 15 "$out/$name.log"
    failed+=("$name")
  fi
}

mkdir -p "$out"
for name in own_data timit vctk arctic librispeech zerospeech2019 asterisk; do
  where=(--config conf/quick.conf --data "$out/$name/data" --exp "$out/$name/exp")
  case $name in
    own_data)
      if [[ " $recipes " == *" $name "* && -d $speech/LibriSpeech ]]; then
        mkdir -p "$out/$name/recordings"
        find "$(realpath "$speech")"/LibriSpeech/*/ -mindepth 1 -maxdepth 1 -type d | sort | head -n 3 |
          xargs ln -sfn -t "$out/$name/recordings"
      fi
      quick own_data egs/own_data/run.sh "$out/$name/recordings" "${where[@]}" --recordings "$out/$name/recordings"
      ;;
    timit) quick timit egs/timit/run.sh "$speech/timit" "${where[@]}" --corpus "$speech/timit" ;;
    vctk) quick vctk recipes/vctk/run.sh "$speech/VCTK-Corpus-0.92" "${where[@]}" --corpus "$speech/VCTK-Corpus-0.92" ;;
    arctic) quick arctic egs/arctic/run.sh "$speech/cmu_us_slt_arctic" "${where[@]}" --corpus "$speech" ;;
    librispeech) quick librispeech egs/librispeech/run.sh "$speech/LibriSpeech" "${where[@]}" \
      --corpus "$speech/LibriSpeech" ;;
    zerospeech2019)
      if [[ " $recipes " == *" $name "* && -d $speech/cmu_us_slt_arctic && ! -d $out/$name/corpus ]]; then
        .venv/bin/python tests/make_zerospeech.py "$out/$name/corpus.new" "$speech"/cmu_us_{slt,bdl}_arctic
        mv "$out/$name/corpus.new" "$out/$name/corpus"
      fi
      quick zerospeech2019 egs/zerospeech2019/run.sh "$out/$name/corpus" "${where[@]}" --corpus "$out/$name/corpus"
      ;;
    asterisk)
      if command -v ffmpeg >/dev/null || .venv/bin/python -c 'import av' 2>/dev/null; then
        quick asterisk egs/asterisk/run.sh "$(command -v apt-get || echo apt-get)" "${where[@]}"
      elif [[ " $recipes " == *" $name "* ]]; then
        echo "asterisk: left out, there is neither ffmpeg nor PyAV to decode it"
      fi
      ;;
  esac
done
# These two need no corpus: their data come with scikit-learn.
for name in images video; do
  quick "$name" "egs/$name/run.sh" "" --config conf/quick.conf --data "$out/$name/data" --exp "$out/$name/exp"
done
quick default_model egs/default_model/run.sh "$speech/VCTK-Corpus-0.92" --config conf/quick.conf \
  --data "$out/default_model/data" --out "$out/default_model/exp" --vctk "$speech/VCTK-Corpus-0.92" \
  --arctic "$speech" --librispeech "$speech/LibriSpeech"
quick units egs/units/run.sh "$speech/LibriSpeech/train-clean-mini" --config conf/quick.conf \
  --librispeech "$speech/LibriSpeech/train-clean-mini" --data "$out/units/data" --exp "$out/units/exp"
quick quickstart egs/quickstart/run.sh "" --stage 1 --out "$out/quickstart"
if ((${#failed[@]})); then
  echo "failed: ${failed[*]}" >&2
  exit 1
fi
