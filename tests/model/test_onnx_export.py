"""The exported graph in onnxruntime: the codes of the package, for recordings of any length."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vqspeech
from vqspeech.cli.main import main

SAMPLE = Path(__file__).parents[2] / "egs/quickstart/sample"


def session(path: Path) -> Any:
    onnxruntime = pytest.importorskip("onnxruntime", reason="pip install 'vqspeech[onnx]'")
    return onnxruntime.InferenceSession(str(path))


@pytest.mark.parametrize("name", ["default", "units"])
def test_packaged_models(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnx", reason="pip install 'vqspeech[onnx]'")
    chosen = [] if name == "default" else ["--model", name]
    assert main(["export", "--onnx", str(tmp_path / "m.onnx"), *chosen]) == 0
    assert "opset 17" in capsys.readouterr().out
    model = vqspeech.load(None if name == "default" else name)
    run = session(tmp_path / "m.onnx")
    facts = run.get_modelmeta().custom_metadata_map
    assert facts["checksum"] == model.code_info.checksum
    assert int(facts["samples_per_code"]) == model.network.config.code_hop
    waveforms = [model.read(path) for path in sorted(SAMPLE.glob("*.flac"))]
    waveforms += [waveforms[0][:length] for length in (1, 319, 320, 321, 5000)]
    different = total = 0
    for waveform in waveforms:
        codes = model.encode_waveform(waveform)
        (found,) = run.run(None, {"waveform": waveform[None]})
        assert found.shape == (1, len(codes))
        different += int((found[0] != codes).sum())
        total += len(codes)
    # Sums in another order: at the border between two codes the other one may be nearer.
    assert different <= total / 1000


def test_a_waveform_front_end(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="pip install 'vqspeech[onnx]'")
    import torch

    from vqspeech.model.onnx_export import export_onnx
    from vqspeech.model.vqvae import VQVAE
    from vqspeech.model.waveform_to_codes import ConvolvedLogMel, WaveformToCodes
    from vqspeech.training.config import read_preset

    torch.manual_seed(0)
    network = VQVAE(read_preset("tiny", ["model.encoder.front_end=waveform"]).model, ("anna",)).eval()
    export_onnx(network, tmp_path / "m.onnx", "")
    run = session(tmp_path / "m.onnx")
    for length in (1, 64, 1000):
        waveform = 0.1 * torch.randn(1, length)
        (found,) = run.run(None, {"waveform": waveform.numpy()})
        with torch.no_grad():
            np.testing.assert_array_equal(found, WaveformToCodes(network, ConvolvedLogMel)(waveform).numpy())
