#!/usr/bin/env bash
# Makes the sample data directory by speech synthesis; see --help.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

usage() {
  cat <<EOF
Usage: egs/quickstart/local/make_sample.sh

Speaks four sentences with two voices of flite and writes them to
egs/quickstart/sample: 16 kHz FLAC files, a Kaldi data directory (paths are
relative to the root of the repository) and phones.ctm with the times of the
phones as flite placed them. The repository holds the result: only who changes
the sample needs this script, with flite (apt-get install flite) and .venv
(tools/setup.sh).
EOF
}

case ${1-} in
  '') ;;
  -h | --help) usage && exit 0 ;;
  *) usage >&2 && exit 2 ;;
esac
command -v flite >/dev/null || { echo "$0: no flite: apt-get install flite" >&2 && exit 1; }
python=.venv/bin/python
[[ -x $python ]] || { echo "$0: no .venv: tools/setup.sh makes it" >&2 && exit 1; }

sample=egs/quickstart/sample
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# utterance, voice, gender, sentence; sorted, as Kaldi wants its tables. The first two sentences are parallel.
cat >"$work/sentences" <<EOF
rms-001 rms m The quick brown fox jumps over the lazy dog.
rms-002 rms m Before the rain began, we carried nine yellow chairs into the garden house.
slt-001 slt f The quick brown fox jumps over the lazy dog.
slt-002 slt f A small machine can learn the sounds of speech from nothing but speech.
EOF

mkdir -p "$sample"
: >"$work/phones.ctm"
while read -r utterance voice _ sentence; do
  # flite prints "phone:end" for each phone; the last may end a few milliseconds after the audio does.
  flite -voice "$voice" -psdur -t "$sentence" -o "$work/$utterance.wav" >"$work/$utterance.ends" </dev/null
  length=$("$python" -c '
import sys
from vqspeech import audio
waveform = audio.read(sys.argv[1])
audio.write(sys.argv[2], waveform)
print(len(waveform) / audio.SAMPLE_RATE)' "$work/$utterance.wav" "$sample/$utterance.flac")
  tr ' ' '\n' <"$work/$utterance.ends" | awk -F: -v utterance="$utterance" -v length_s="$length" '
    NF == 2 {
      end = $2 < length_s ? $2 : length_s
      printf "%s 1 %.4f %.4f %s\n", utterance, start, end - start, $1
      start = end
    }' >>"$work/phones.ctm"
done <"$work/sentences"

mv "$work/phones.ctm" "$sample/phones.ctm"
awk -v folder="$sample" '{ print $1, folder "/" $1 ".flac" }' "$work/sentences" >"$sample/wav.scp"
awk '{ print $1, $2 }' "$work/sentences" >"$sample/utt2spk"
awk '{ print $2, $3 }' "$work/sentences" | sort -u >"$sample/spk2gender"
awk '{ utterances[$2] = utterances[$2] " " $1 } END { for (speaker in utterances) print speaker utterances[speaker] }' \
  "$work/sentences" | sort >"$sample/spk2utt"
cut -d ' ' -f 1,4- "$work/sentences" >"$sample/text"
