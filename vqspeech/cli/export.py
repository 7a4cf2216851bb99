"""Write encoder and quantiser of a model as a program for others: ONNX, or torch.export.

    vqspeech export --onnx encoder.onnx --model units       for programs without Python or torch
    vqspeech export --torch encoder.pt2 --model units       for torch without this package

Input ``waveform`` is (1, samples) float32 at the model's sample rate and level (Model.read brings a recording there:
active speech to the RMS that the file's metadata names), of any length; output ``codes`` is (1, codes) int64. The last
code's samples are filled up with silence. The decoder is not exported: it draws sample after sample.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from vqspeech.cli.common.model import add_model, load
from vqspeech.errors import InputError
from vqspeech.files import require_writable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--onnx", type=Path, metavar="OUT.onnx", help="file to write as ONNX")
    parser.add_argument("--torch", type=Path, metavar="OUT.pt2", help="file to write with torch.export")
    add_model(parser)


def run(options: argparse.Namespace) -> None:
    """Export, and say what was written."""
    if options.onnx is None and options.torch is None:
        raise InputError("nothing to write", hint="give --onnx OUT.onnx or --torch OUT.pt2")
    for path in (options.onnx, options.torch):
        if path is not None:
            require_writable(path)
    from vqspeech.model.onnx_export import OPSET, export_onnx
    from vqspeech.model.torch_export import export_torch

    model = load(options)
    checksum = model.code_info.checksum or ""
    if options.onnx is not None:
        export_onnx(model.network, options.onnx, checksum)
        _say(options.onnx, f"opset {OPSET}")
    if options.torch is not None:
        export_torch(model.network, options.torch, checksum)
        _say(options.torch, "torch.export")


def _say(path: Path, kind: str) -> None:
    print(f"{path}: {kind}, {path.stat().st_size / 1e6:.1f} MB, waveform (1, samples) -> codes (1, codes)")
