"""The core install: what it depends on, what a conversion imports, and what is said where an extra is missing."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

from vqspeech.cli.evaluate import PACKAGES

SAMPLE = Path(__file__).parent.parent / "egs/quickstart/sample/slt-001.flac"
CORE = {
    "torch",
    "torchaudio",
    "numpy",
    "soundfile",
    "soxr",
    "msgspec",
    "pyyaml",
    "safetensors",
    "praat-parselmouth",
    "tqdm",
}
#: Runs commands where the packages of every extra are as if not installed; prints their statuses, and then which of
#: the slow parts of torch were imported after each.
WITHOUT_EXTRAS = """
import json, sys
from importlib.machinery import PathFinder

class Without:
    @staticmethod
    def find_spec(name, path=None, target=None):
        return None if name.partition(".")[0] in ABSENT else PathFinder.find_spec(name, path, target)

ABSENT, commands = json.loads(sys.argv[1])
sys.meta_path[sys.meta_path.index(PathFinder)] = Without
from vqspeech.cli.main import main
found = []
for words in commands:
    status = main(words)
    found.append([status, [name for name in ("torch._dynamo", "torch._inductor", "sympy") if name in sys.modules]])
print(json.dumps(found))
"""


def test_the_core_is_small() -> None:
    named = [text for text in requires("vqspeech") or [] if "extra ==" not in text]
    assert {re.split(r"[^\w.-]", text)[0].lower() for text in named} == CORE


def test_convert_and_encode_without_any_extra(tmp_path: Path) -> None:
    absent = [*PACKAGES, "numba", "tensorboard", "lhotse", "pandas", "onnx", "onnxruntime", "starlette", "pyarrow"]
    absent += ["pocketsphinx", "sounddevice", "av", "huggingface_hub", "fastabx", "resemblyzer"]
    commands = [
        ["convert", "--src", str(SAMPLE), "--speaker", "p225", "--out", str(tmp_path / "a.wav")],
        ["encode", str(SAMPLE.parent), "--model", "units", "--out", str(tmp_path / "units.txt")],
        ["evaluate", "robustness", "--data", str(SAMPLE.parent), "--model", "units"],
    ]
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTRAS, json.dumps([absent, commands])], capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    # The compiler of torch, which takes longer to import than all the rest, has no part in a conversion.
    assert json.loads(ran.stdout.splitlines()[-1]) == [[0, []], [0, []], [2, []]]
    assert (tmp_path / "a.wav").stat().st_size > 44
    assert len((tmp_path / "units.txt").read_text().splitlines()) == 4
    assert "evaluate robustness needs jinja2 (pip install 'vqspeech[evaluate]')" in ran.stderr
