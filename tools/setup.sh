#!/usr/bin/env bash
# Makes .venv, with vqspeech and all it needs; see --help.
set -euo pipefail
shopt -s nullglob
cd "$(dirname "${BASH_SOURCE[0]}")/.."

torch=2.13.0
extras=evaluate,train,align,web,dev
# Metrics of speech that the tests use. What they ask for is there, in another form: webrtcvad in wheels, pandas unused.
# Without faster-whisper, which is 283 MB and needs weights from elsewhere.
without_dependencies=(resemblyzer speechmos)
stamp=.venv/.vqspeech-setup

usage() {
  cat <<EOF
Usage: tools/setup.sh [--cuda]

Makes .venv with vqspeech (editable), its extras $extras and the exact
versions of tools/constraints.txt. Safe to run again: it completes a half-made
.venv, and does nothing when nothing has changed.

  --cuda      insist on a CUDA build of torch (remembered by later runs)
  -h, --help  show this

Environment:
  PYTHON       the Python to use, 3.11 or later (default: python3)
  TORCH_INDEX  package index to take torch $torch from, passed to pip as
               --index-url. On Linux the default index has the CUDA build,
               which also runs without a GPU but is large; PyTorch's own CPU
               index has a small one.
EOF
}

fail() {
  echo "tools/setup.sh: $*" >&2
  exit 1
}

cuda=false
if [[ -f $stamp ]]; then
  cuda=$(sed -n 's/^cuda=//p' "$stamp")
fi
while (($#)); do
  case $1 in
    --cuda) cuda=true ;;
    -h | --help) usage && exit 0 ;;
    *) fail "no option '$1' (see tools/setup.sh --help)" ;;
  esac
  shift
done

python=${PYTHON:-python3}
command -v "$python" >/dev/null || fail "no $python: install Python 3.11 or later, or name one in PYTHON"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  fail "$("$python" --version) is too old: name Python 3.11 or later in PYTHON"

# All that decides what .venv should hold. The path is in it, since an environment does not survive being moved.
wanted() {
  echo "cuda=$cuda"
  echo "path=$PWD"
  "$python" -c 'import sys; print(f"python={sys.version_info.major}.{sys.version_info.minor}")'
  cat setup.py pyproject.toml tools/constraints.txt tools/setup.sh vqspeech/generation/native/*.{cpp,h} |
    "$python" -c 'import hashlib, sys; print("files=" + hashlib.sha256(sys.stdin.buffer.read()).hexdigest())'
}

# Whether the environment there can be completed: it runs, is of this Python and place, and pip was not killed in it
# with a package half unpacked (its list of files, RECORD, comes last).
completable() {
  [[ -x .venv/bin/python ]] || return 1
  [[ ! -f $stamp ]] || grep -qxF "path=$PWD" "$stamp" || return 1
  .venv/bin/python - "$("$python" -c 'import sys; print(*sys.version_info[:2])')" <<'EOF' 2>/dev/null
import importlib.metadata
import sys

import pip

sound = all(found.files is not None for found in importlib.metadata.distributions())
sys.exit(0 if sound and sys.argv[1] == f"{sys.version_info.major} {sys.version_info.minor}" else 1)
EOF
}

install() {
  .venv/bin/python -m pip install --quiet --disable-pip-version-check "$@"
}

has_cuda() {
  .venv/bin/python -c 'import sys, torch; sys.exit(torch.version.cuda is None)' 2>/dev/null
}

# torch comes first and alone: what follows then finds it there and does not choose another build of it.
install_everything() {
  if [[ $cuda == true ]] && .venv/bin/python -c 'import torch' 2>/dev/null && ! has_cuda; then
    .venv/bin/python -m pip uninstall --quiet --yes torch
  fi
  echo "tools/setup.sh: installing torch $torch"
  install -c tools/constraints.txt ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} "torch==$torch" || return 1
  echo "tools/setup.sh: installing vqspeech[$extras]"
  install -c tools/constraints.txt -e ".[$extras]" || return 1
  install -c tools/constraints.txt --no-deps "${without_dependencies[@]}" || return 1
  .venv/bin/python -c 'import torch, vqspeech.audio, soundfile, sklearn' || return 1
}

[[ -f $stamp ]] && [[ $(<"$stamp") == "$(wanted)" ]] && completable && exit 0

fresh=false
if ! completable; then
  echo "tools/setup.sh: making .venv"
  "$python" -m venv --clear .venv || fail "could not make .venv (on Debian: apt-get install python3-venv)"
  fresh=true
fi
rm -f "$stamp"
if ! install_everything; then
  [[ $fresh == false ]] || fail "the installation failed, for the reason above; run it again once that is mended"
  echo "tools/setup.sh: .venv cannot be completed; making it anew"
  "$python" -m venv --clear .venv
  install_everything || fail "the installation failed, for the reason above; run it again once that is mended"
fi
if [[ $cuda == true ]] && ! has_cuda; then
  fail "pip gave a CPU build of torch: name an index of CUDA builds in TORCH_INDEX"
fi
if compgen -G 'vqspeech/generation/native/*.cpp' >/dev/null; then
  .venv/bin/python -c 'import vqspeech.generation._native' 2>/dev/null ||
    echo "tools/setup.sh: no native engine (no C++17 compiler?); generation uses PyTorch, which is slower" >&2
fi
wanted >"$stamp"
echo "tools/setup.sh: done; 'source .venv/bin/activate' puts the command vqspeech in your PATH"
