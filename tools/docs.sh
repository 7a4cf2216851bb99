#!/usr/bin/env bash
# Builds the documentation; see --help.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [[ ${1-} == --help || ${1-} == -h ]]; then
  cat <<EOF
Usage: tools/docs.sh [--serve]

Writes the documentation to exp/docs/: guides, architecture, glossary, API
reference. A broken link ends it. --serve shows it on http://127.0.0.1:8000
and follows changes.
EOF
  exit 0
fi
[[ -x .venv/bin/python ]] || tools/setup.sh
.venv/bin/python -c 'import material, mkdocstrings' 2>/dev/null ||
  .venv/bin/python -m pip install --quiet --disable-pip-version-check -c tools/constraints.txt -e '.[docs]'
.venv/bin/python tools/layers.py
if [[ ${1-} == --serve ]]; then
  exec .venv/bin/python -m mkdocs serve
fi
NO_MKDOCS_2_WARNING=1 .venv/bin/python -m mkdocs build --strict --quiet
echo "tools/docs.sh: exp/docs/index.html"
