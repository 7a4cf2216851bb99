"""Encoder and quantiser as an ONNX graph of standard operators, for waveforms of any length.

The log-mel front end becomes a convolution with the windowed cosines and sines of the Fourier transform, which is the
same sum in another order: codes differ from the package's where two lie equally near, up to rounding.
"""

from __future__ import annotations

import io
import math
import os
import warnings
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqspeech.errors import MissingExtraError
from vqspeech.files import atomic_open
from vqspeech.melspectrogram import DIVISOR, FLOOR, OFFSET, filterbank, normalized, window_length
from vqspeech.model.vqvae import VQVAE

#: Version of the standard operators: LayerNormalization is one from 17 on.
OPSET = 17


class _LogMel(nn.Module):
    """``vqspeech.melspectrogram.log_mel`` by a convolution."""

    def __init__(self, sample_rate: int, hop: int, bands: int) -> None:
        super().__init__()
        self.hop = hop
        self.window = window_length(sample_rate)
        time = torch.arange(self.window, dtype=torch.float64)
        bins = torch.arange(self.window // 2 + 1, dtype=torch.float64)
        # In integers first, so that large phases lose no digits.
        phase = 2 * math.pi / self.window * (bins[:, None] * time % self.window)  # (bins, window)
        window = torch.hann_window(self.window, dtype=torch.float64)
        basis = torch.cat([phase.cos() * window, phase.sin() * window]).float()  # (2 bins, window)
        self.register_buffer("basis", basis[:, None])
        self.register_buffer("bank", filterbank(sample_rate, bands, torch.device("cpu")))

    def forward(self, waveform: Tensor) -> Tensor:
        """``(1, time)``, a multiple of the hop -> ``(1, time / hop, bands)``."""
        left = (self.window - self.hop) // 2
        padded = F.pad(waveform, (max(left, 0), self.window))[:, None]
        if left < 0:
            padded = padded[:, :, -left:]
        transform = F.conv1d(padded, cast(Tensor, self.basis), stride=self.hop)  # (1, 2 bins, frames and some)
        real, imaginary = transform.square().chunk(2, 1)
        power = (real + imaginary).transpose(1, 2)[:, : waveform.shape[1] // self.hop]
        return (torch.log(power @ cast(Tensor, self.bank) + FLOOR) + OFFSET) / DIVISOR


class WaveformToCodes(nn.Module):
    """What is exported: ``(1, samples)`` at the model's rate and level -> ``(1, codes)`` int64.

    Args:
        network: in evaluation mode, on the CPU.
    """

    def __init__(self, network: VQVAE) -> None:
        super().__init__()
        self.config = network.config
        self.companding = network.companding
        self.encoder = network.encoder
        self.quantizer = network.quantizer
        encoder = network.config.encoder
        self.mel = (
            _LogMel(network.config.audio.sample_rate, encoder.mel_hop, encoder.mel_bands)
            if encoder.front_end == "log-mel"
            else None
        )

    def forward(self, waveform: Tensor) -> Tensor:
        """Encode and take the nearest codes."""
        hop = self.config.code_hop
        samples = waveform.shape[1]
        padded = F.pad(waveform, (0, (samples + hop - 1) // hop * hop - samples))
        shaped = self.companding.preemphasise(padded)
        frames = None
        if self.mel is not None:
            frames = self.mel(shaped)
            if self.config.encoder.input_norm:
                frames = normalized(frames)
        x = self.encoder.hidden(shaped[:, None] if frames is None else frames.transpose(1, 2))[-1]
        z = self._vectors(x)[0].t()
        book = self.quantizer.codebook
        return (book.square().sum(1) - 2 * z @ book.t()).argmin(1)[None]

    def _vectors(self, x: Tensor) -> Tensor:
        """``Encoder.vectors``, with the norm over the utterance in steps: its size is no constant in the graph."""
        if self.config.encoder.instance_norm:
            centred = x - x.mean(2, keepdim=True)
            x = centred / (centred.square().mean(2, keepdim=True) + 1e-5).sqrt()
        z: Tensor = self.encoder.projection(x)
        if self.config.encoder.frame_norm:
            z = F.layer_norm(z.transpose(1, 2), (self.config.encoder.dimension,)).transpose(1, 2)
        return z


def export_onnx(network: VQVAE, target: str | os.PathLike[str], checksum: str) -> None:
    """Write ``WaveformToCodes`` of a model as ONNX.

    Args:
        network: in evaluation mode, on the CPU.
        target: the file.
        checksum: of what decides the codes, for the file's metadata.

    Raises:
        InputError: onnx is not installed.
        OSError: the file cannot be written.
    """
    try:
        import onnx
    except ImportError:
        raise MissingExtraError("onnx", extra="onnx", purpose="export --onnx") from None
    module = WaveformToCodes(network).eval()
    buffer = io.BytesIO()
    example = torch.zeros(1, 3 * network.config.audio.sample_rate // 2 + 7)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the tracer, on sizes that are constants
        torch.onnx.export(
            module,
            (example,),
            cast(Any, buffer),
            input_names=["waveform"],
            output_names=["codes"],
            dynamic_axes={"waveform": {1: "samples"}, "codes": {1: "codes"}},
            opset_version=OPSET,
            dynamo=False,
        )
    graph = onnx.load_model_from_string(buffer.getvalue())
    config = network.config
    facts = {
        "sample_rate": config.audio.sample_rate,
        "rms": config.audio.rms,
        "codebook_size": config.quantizer.codes,
        "samples_per_code": config.code_hop,
        "checksum": checksum,
    }
    for name, value in facts.items():
        graph.metadata_props.add(key=name, value=str(value))
    onnx.checker.check_model(graph)
    with atomic_open(target, "wb") as file:
        file.write(graph.SerializeToString())
