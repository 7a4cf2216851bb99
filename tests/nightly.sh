#!/usr/bin/env bash
# The long form of the fuzz tests: 10,000 cases of each kind, with a seed of its own each day.
#
#   tests/nightly.sh [CASES [SEED]]      the seed is printed; the same two numbers repeat a run
set -euo pipefail
cd "$(dirname "$0")/.."
cases=${1:-10000}
seed=${2:-$(date +%Y%m%d)}
echo "tests/nightly.sh: $cases cases of each kind, seed $seed"
VQSPEECH_FUZZ_CASES=$cases VQSPEECH_FUZZ_SEED=$seed exec .venv/bin/python -m pytest tests/fuzz
