#!/usr/bin/env bash
# From a new clone to converted speech: sets up, says the words of sample recordings in other speakers' voices with the
# model in the package, turns them into units with another, and reports how near these are to phonemes.
#
#   egs/quickstart/run.sh [--stage N] [--stop-stage N] [--src FILE-OR-FOLDER] [--speakers "p225 p239"]
#                         [--out exp/quickstart] [--train true|false]
#
# Stages:
#   0  set up (.venv, from the package registry)
#   1  convert --src to each of --speakers
#   2  encode the sample utterances into units, 50 per second, with the packaged unit model
#   3  report the units against the sample's exact phone times
#   4  only with --train true: train the preset `tiny` on the sample for about two minutes and convert with it
#
# --src is the sample in the repository (four synthesised utterances) unless you give a recording of your own.
set -euo pipefail
recipe=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$recipe/path.sh"

stage=0
stop_stage=4
src=$recipe/sample/slt-001.flac
speakers="p225 p239"
out=$VQSPEECH_ROOT/exp/quickstart
train=false
. parse_options.sh

if ((stage <= 0)); then
  printf '\n== stage 0: set up\n'
  "$VQSPEECH_ROOT/tools/setup.sh"
fi
. stages.sh
absolute src out

sample=$recipe/sample
marks=$out
if begin_stage 1 "convert $src" reads "$src" makes "$out/converted"; then
  for speaker in $speakers; do
    vqspeech convert --src "$src" --speaker "$speaker" --out "$out/converted" --force
  done
  end_stage
fi

if begin_stage 2 "encode $sample" reads "$sample/wav.scp" makes "$out/codes.txt"; then
  vqspeech encode "$sample" --model units --out "$out/codes.txt"
  end_stage
fi

if begin_stage 3 "phoneme report" reads "$out/codes.txt" "$sample/phones.ctm" makes "$out/report"; then
  vqspeech evaluate phonemes --codes "$out/codes.txt" --phones "$sample/phones.ctm" --data "$sample" \
    --out "$out/report"
  end_stage
fi

if [[ $train == true ]] && begin_stage 4 "train the preset tiny" guards "$out"/tiny/checkpoints/{last.pt,best}; then
  # Sixteen seconds cannot be divided: what it watches here is what it learns from. It shows the way, not a result.
  vqspeech train tiny --data "$sample" --dev "$sample" --out "$out/tiny"
  vqspeech convert --model "$out/tiny" --src "$sample/slt-002.flac" --speaker rms --out "$out/tiny" --force
  end_stage
fi

cat <<END

Where to look:
  $out/converted/           the words of $src in other voices
  $out/codes.txt            the units of the sample, one line per utterance; codes.json says what they are
  $out/report/report.html   how near the units are to phonemes (RESULTS.json holds the numbers)
Next:
  .venv/bin/vqspeech convert --src your-recording.wav --speaker p225
  .venv/bin/vqspeech speakers
END
