#!/usr/bin/env bash
# Build the compiled engine with AddressSanitizer and UndefinedBehaviorSanitizer and run its tests over it.
# usage: tests/generation/sanitize.sh [pytest arguments]
set -euo pipefail

root="$(cd "$(dirname "$0")/../.." && pwd)"
python="${PYTHON:-python}"
copy="$(mktemp -d)"
trap 'rm -rf "$copy"' EXIT

cp -r "$root/vqspeech" "$root/tests" "$root/pyproject.toml" "$copy"
rm -f "$copy"/vqspeech/generation/_native*.so
includes="$("$python" -c 'import pybind11, sysconfig
print("-I" + pybind11.get_include(), "-I" + sysconfig.get_path("include"))')"
suffix="$("$python" -c 'import sysconfig; print(sysconfig.get_config_var("EXT_SUFFIX"))')"

sanitize="-fsanitize=address,undefined -fno-sanitize=vptr -fno-sanitize-recover=undefined"
for source in "$copy"/vqspeech/generation/native/*.cpp; do
    # shellcheck disable=SC2086
    g++ -O1 -g1 -std=c++17 -fPIC -fvisibility=hidden -pthread $sanitize $includes -c "$source" -o "${source%.cpp}.o"
done
# shellcheck disable=SC2086
g++ -shared -pthread $sanitize "$copy"/vqspeech/generation/native/*.o -o "$copy/vqspeech/generation/_native$suffix"

cd "$copy"
# Python itself does not free all it takes; the sanitizer's library must be loaded before any other.
LD_PRELOAD="$(g++ -print-file-name=libasan.so) $(g++ -print-file-name=libubsan.so)" \
    ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 PYTHONPATH="$copy" \
    "$python" -m pytest -q -p no:cacheprovider tests/generation "$@"
