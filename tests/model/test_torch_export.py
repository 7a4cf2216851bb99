"""The ``torch.export`` program: the codes of the package, for recordings of any length, by torch alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import vqspeech
from vqspeech.cli.main import main
from vqspeech.model.torch_export import export_torch

SAMPLE = Path(__file__).parents[2] / "egs/quickstart/sample"
#: Runs a program on the arrays of a file, in a process that has never seen the package.
RUN = """
import sys
import numpy as np, torch
extra = {"vqspeech.json": ""}
program = torch.export.load(sys.argv[1], extra_files=extra).module()
given = np.load(sys.argv[2])
with torch.no_grad():
    np.savez(sys.argv[3], **{name: program(torch.from_numpy(given[name])).numpy() for name in given.files})
assert not [name for name in sys.modules if name.startswith("vqspeech")]
print(extra["vqspeech.json"])
"""


@pytest.mark.parametrize("name", ["default", "units"])
def test_packaged_models(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--torch", str(tmp_path / "m.pt2"), "--model", name]) == 0
    assert "torch.export" in capsys.readouterr().out
    model = vqspeech.load(name)
    waveforms = [model.read(path) for path in sorted(SAMPLE.glob("*.flac"))]
    waveforms += [waveforms[0][:length] for length in (1, 2, 127, 128, 129, 319, 320, 321, 5000)]
    waveforms.append(np.tile(waveforms[0], 8)[: 24 * 16000 + 1])
    np.savez(tmp_path / "given.npz", *[waveform[None] for waveform in waveforms])
    files = [str(tmp_path / file) for file in ("m.pt2", "given.npz", "made.npz")]
    ran = subprocess.run([sys.executable, "-c", RUN, *files], capture_output=True, text=True, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    made = np.load(tmp_path / "made.npz")
    different = total = 0
    for number, waveform in enumerate(waveforms):
        codes, found = model.encode_waveform(waveform), made[f"arr_{number}"]
        assert found.shape == (1, len(codes))
        different += int((found[0] != codes).sum())
        total += len(codes)
    # Matrix products of other sizes: at the border between two codes the other one may be nearer.
    assert different <= total / 1000
    facts = json.loads(ran.stdout)
    assert facts["checksum"] == model.code_info.checksum
    assert facts["samples_per_code"] == model.network.config.code_hop


def test_a_waveform_front_end(tmp_path: Path) -> None:
    from vqspeech.model.vqvae import VQVAE
    from vqspeech.training.config import read_preset

    torch.manual_seed(0)
    network = VQVAE(read_preset("tiny", ["model.encoder.front_end=waveform"]).model, ("anna",)).eval()
    export_torch(network, tmp_path / "m.pt2", "")
    program = torch.export.load(tmp_path / "m.pt2").module()
    for length in (1, 64, 1000):
        waveform = 0.1 * torch.randn(1, length)
        with torch.no_grad():
            shaped = torch.nn.functional.pad(waveform, (0, -length % network.config.code_hop))
            z = network.encoder(network.companding.preemphasise(shaped))[0].t()
            assert torch.equal(program(waveform)[0], network.quantizer.nearest(z))


def test_what_cannot_be_exported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from vqspeech.errors import InputError
    from vqspeech.model.onnx_export import export_onnx
    from vqspeech.model.vqvae import VQVAE
    from vqspeech.training.config import read_preset

    assert main(["export"]) == 2
    assert "give --onnx OUT.onnx or --torch OUT.pt2" in capsys.readouterr().err
    network = VQVAE(read_preset("decoder-50hz", ["model.quantizer.codes=8"]).model, ("anna",)).eval()
    for export in (export_torch, export_onnx):
        with pytest.raises(InputError, match="no encoder to export"):
            export(network, tmp_path / "m", "")
    assert not (tmp_path / "m").exists()
