#!/usr/bin/env bash
# Where vqspeech is, to be sourced. In a copy of this folder elsewhere, put its place here, or in VQSPEECH_ROOT.
VQSPEECH_ROOT=${VQSPEECH_ROOT:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
export VQSPEECH_ROOT
export PATH=$VQSPEECH_ROOT/tools:$VQSPEECH_ROOT/.venv/bin:$PATH
export LC_ALL=C.UTF-8
