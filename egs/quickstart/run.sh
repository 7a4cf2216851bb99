#!/usr/bin/env bash
# From a new clone to converted speech: sets up, says the words of sample recordings in other speakers' voices with the
# model in the package, turns them into codes, and reports how well the codes tell the phonemes.
#
#   egs/quickstart/run.sh [--stage N] [--stop-stage N] [--src FILE-OR-FOLDER] [--speakers "p225 p239"]
#                         [--out exp/quickstart] [--train true|false]
#
# Stages:
#   0  set up (.venv, from the package registry)
#   1  convert --src to each of --speakers
#   2  encode the sample utterances into codes
#   3  report the codes against the sample's exact phone times
#   4  only with --train true: train the preset `tiny` on the sample for about two minutes and convert with it
#
# --src is the sample in the repository (four synthesised utterances) unless you give a recording of your own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

stage=0
stop_stage=4
src=egs/quickstart/sample/slt-001.flac
speakers="p225 p239"
out=exp/quickstart
train=false
. tools/parse_options.sh

sample=egs/quickstart/sample
runs() { ((stage <= $1 && $1 <= stop_stage)); }
say() { printf '\n== stage %s\n' "$*"; }

if runs 0; then
  say "0: set up"
  tools/setup.sh
fi
vqspeech=.venv/bin/vqspeech
if [[ ! -x $vqspeech ]]; then
  echo "$0: not set up yet; begin with --stage 0" >&2
  exit 2
fi

if runs 1; then
  say "1: convert $src"
  for speaker in $speakers; do
    "$vqspeech" convert --src "$src" --speaker "$speaker" --out "$out/converted" --force
  done
fi

if runs 2; then
  say "2: encode $sample"
  "$vqspeech" encode "$sample" --out "$out/codes.txt"
fi

if runs 3; then
  say "3: phoneme report"
  "$vqspeech" evaluate phonemes --codes "$out/codes.txt" --phones "$sample/phones.ctm" --data "$sample" \
    --out "$out/report"
fi

if runs 4 && [[ $train == true ]]; then
  say "4: train the preset tiny on $sample"
  # Sixteen seconds cannot be divided: what it watches here is what it learns from. It shows the way, not a result.
  "$vqspeech" train tiny --data "$sample" --dev "$sample" --out "$out/tiny"
  "$vqspeech" convert --model "$out/tiny" --src "$sample/slt-002.flac" --speaker rms --out "$out/tiny" --force
fi

cat <<EOF

Where to look:
  $out/converted/           the words of $src in other voices
  $out/codes.txt            the codes of the sample, a line an utterance; codes.json says what they are
  $out/report/report.html   how well the codes tell the phonemes (RESULTS.json holds the numbers)
Next:
  .venv/bin/vqspeech convert --src your-recording.wav --speaker p225
  .venv/bin/vqspeech speakers
EOF
