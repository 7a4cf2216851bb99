"""``torch.hub.load`` from a working copy: the packaged models, without an install."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import vqspeech

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "egs/quickstart/sample/slt-001.flac"
#: In a process of its own, as torch.hub changes the path of modules.
LOAD = """
import sys, torch
repository, entry, recording = sys.argv[1:]
model = torch.hub.load(repository, entry, source="local", device="cpu")
print(type(model).__module__, *model.encode(recording))
"""


@pytest.mark.parametrize(("entry", "name"), [("vqspeech", "default"), ("vqspeech_units", "units")])
def test_entries_are_the_packaged_models(entry: str, name: str, tmp_path: Path) -> None:
    shown = subprocess.run(
        [sys.executable, "-c", LOAD, str(ROOT), entry, str(SAMPLE)], capture_output=True, text=True, cwd=tmp_path
    )
    assert shown.returncode == 0, shown.stderr
    module, *codes = shown.stdout.split()
    assert module == "vqspeech.api"
    np.testing.assert_array_equal(np.array(codes, int), vqspeech.load(name).encode(SAMPLE))
