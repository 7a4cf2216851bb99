"""Encoder and quantiser as an ONNX graph of standard operators, for waveforms of any length.

The log-mel front end becomes a convolution with the windowed cosines and sines of the Fourier transform, which is the
same sum in another order: codes differ from the package's where two lie equally near, up to rounding.
"""

from __future__ import annotations

import io
import os
import warnings
from typing import Any, cast

import torch

from vqspeech.errors import MissingExtraError
from vqspeech.files import atomic_open
from vqspeech.model.vqvae import VQVAE
from vqspeech.model.waveform_to_codes import ConvolvedLogMel, WaveformToCodes, facts

#: Version of the standard operators: LayerNormalization is one from 17 on.
OPSET = 17


def export_onnx(network: VQVAE, target: str | os.PathLike[str], checksum: str) -> None:
    """Write ``WaveformToCodes`` of a model as ONNX.

    Args:
        network: in evaluation mode, on the CPU.
        target: the file.
        checksum: of what decides the codes, for the file's metadata.

    Raises:
        InputError: onnx is not installed, or the model's codes come from another system.
        OSError: the file cannot be written.
    """
    module = WaveformToCodes(network, ConvolvedLogMel).eval()
    try:
        import onnx
    except ImportError:
        raise MissingExtraError("onnx", extra="onnx", purpose="export --onnx") from None
    buffer = io.BytesIO()
    example = torch.zeros(1, 3 * network.config.audio.sample_rate // 2 + 7)  # (1, samples)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the tracer, on sizes that are constants
        torch.onnx.export(
            module,
            (example,),
            cast(Any, buffer),
            input_names=["waveform"],
            output_names=["codes"],
            dynamic_axes={"waveform": {1: "samples"}, "codes": {1: "codes"}},  # (1, samples) -> (1, codes)
            opset_version=OPSET,
            dynamo=False,
        )
    graph = onnx.load_model_from_string(buffer.getvalue())
    for name, value in facts(network, checksum).items():
        graph.metadata_props.add(key=name, value=str(value))
    onnx.checker.check_model(graph)
    with atomic_open(target, "wb") as file:
        file.write(graph.SerializeToString())
