"""Write encoder and quantiser of a model as ONNX, for programs without Python or torch.

    vqspeech export --onnx encoder.onnx --model units

Input ``waveform`` is (1, samples) float32 at the model's sample rate and level (Model.read brings a recording there:
active speech to the RMS that the file's metadata names), of any length; output ``codes`` is (1, codes) int64. The last
code's samples are filled up with silence.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from vqspeech.cli.common.model import add_model, load


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--onnx", type=Path, required=True, metavar="OUT.onnx", help="file to write")
    add_model(parser)


def run(options: argparse.Namespace) -> None:
    """Export, and say what was written."""
    from vqspeech.model.onnx_export import OPSET, export_onnx

    model = load(options)
    export_onnx(model.network, options.onnx, model.code_info.checksum or "")
    size = options.onnx.stat().st_size / 1e6
    print(f"{options.onnx}: opset {OPSET}, {size:.1f} MB, waveform (1, samples) -> codes (1, codes)")
