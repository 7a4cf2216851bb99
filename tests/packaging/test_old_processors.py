"""The compiled engine on processors without AVX-512 or AVX2, which an emulator stands for (nightly)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from small_wavenets import make_wavenet

from vqspeech.generation import native_engine
from vqspeech.generation.native_engine import NativeEngine

pytestmark = pytest.mark.skipif(bool(native_engine.MISSING), reason=native_engine.MISSING)
#: Draws with numpy alone: torch itself would take minutes to import in the emulator.
DRAW = """
import sys
from importlib.util import module_from_spec, spec_from_file_location
import numpy as np

spec = spec_from_file_location("vqspeech.generation._native", sys.argv[1])
native = module_from_spec(spec)
spec.loader.exec_module(native)
given = dict(np.load(sys.argv[2]))
layers, uniforms, cycle = given.pop("layers"), given.pop("uniforms"), int(given.pop("cycle"))
precision = sys.argv[3]
level = next(level for level, name in native.available() if name == precision)
network = native.Network(level=level, precision=precision, cycle=cycle, bands=1, **given)
drawn = native.Streams(network, count=len(layers), threads=1).push(layers, uniforms, 1.0)
print(level, *np.asarray(drawn).ravel().tolist())
"""


@pytest.mark.parametrize(
    ("processor", "level", "precision"),
    [("Nehalem", "plain", "fp32"), ("Haswell", "avx2", "fp32"), ("Haswell", "avx2", "int8")],
)
def test_an_emulated_processor_draws_the_same_samples(
    processor: str, level: str, precision: native_engine.Precision, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not os.environ.get("VQSPEECH_NIGHTLY"):
        pytest.skip("an emulated processor: VQSPEECH_NIGHTLY=1, as tests/nightly.sh sets it")
    emulator = shutil.which("qemu-x86_64")
    if emulator is None or os.uname().machine != "x86_64":
        pytest.skip("no qemu-x86_64 (on Debian: apt-get install qemu-user)")
    if level not in native_engine.instruction_sets(precision):
        pytest.skip(f"this processor has no {level} to compare with")
    given: dict[str, object] = {}

    def keep(level: str, precision: str, bands: int, **arrays: object) -> object:
        given.update(arrays)
        return network(level=level, precision=precision, bands=bands, **arrays)

    wavenet = make_wavenet()
    wavenet.activation_peaks.fill_(4)
    layers = wavenet.condition(torch.randn(2, 5, 5)).detach()
    uniforms = np.random.default_rng(0).random((2, 5 * 16), np.float32)
    network = native_engine._native.Network
    monkeypatch.setattr(native_engine._native, "Network", keep)
    expected = NativeEngine(wavenet, precision=precision, instruction_set=level).open(2).push(layers, uniforms)
    np.savez(tmp_path / "given.npz", layers=layers.numpy(), uniforms=uniforms, **given)  # type: ignore[arg-type]

    module = native_engine._native.__file__
    shown = subprocess.run(
        [emulator, "-cpu", processor, sys.executable, "-c", DRAW, module, str(tmp_path / "given.npz"), precision],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert shown.returncode == 0, shown.stderr[-2000:]
    chosen, *drawn = shown.stdout.split()
    assert chosen == level
    assert [int(sample) for sample in drawn] == expected.ravel().tolist()
    assert len(set(drawn)) > 10
