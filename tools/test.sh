#!/usr/bin/env bash
# Runs the checks and the tests; see --help.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<EOF
Usage: tools/test.sh [--gpu | PYTEST ARGUMENT...]

Without arguments: sets up .venv if needed, then runs ruff, mypy, shellcheck
and all tests with branch coverage, on up to four cores, to the end even where
one fails.
With --gpu: sets up, then runs the tests that need a GPU, and fails without one.
With arguments: sets up, then runs pytest alone with them, for instance
  tools/test.sh tests/audio/test_sources.py -k pipe
EOF
}

if [[ ${1-} == --help || ${1-} == -h ]]; then
  usage
  exit 0
fi
tools/setup.sh
if [[ ${1-} == --gpu ]]; then
  .venv/bin/python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' || {
    echo "tools/test.sh: no GPU that torch can use (tools/setup.sh --cuda sets up for one)" >&2
    exit 2
  }
  exec .venv/bin/python -m pytest -m gpu "${@:2}"
fi
if (($#)); then
  exec .venv/bin/python -m pytest "$@"
fi

failed=()
check() {
  echo "== $1"
  "${@:2}" || failed+=("$1")
}

mapfile -t scripts < <(find . -path ./.venv -prune -o -path ./exp -prune -o -name '*.sh' -print | sort)
check "ruff check" .venv/bin/python -m ruff check .
check "ruff format" .venv/bin/python -m ruff format --check .
check "mypy" .venv/bin/python -m mypy
check "shellcheck" .venv/bin/shellcheck -x .ci/run "${scripts[@]}"
# Processes share nothing; four at most, as each has torch and a model in memory.
check "pytest" .venv/bin/python -m pytest --cov --numprocesses auto --maxprocesses 4 --dist worksteal
if ((${#failed[@]})); then
  echo "tools/test.sh: failed: $(IFS=, && echo "${failed[*]}")" >&2
  exit 1
fi
