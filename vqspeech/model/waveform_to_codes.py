"""Encoder and quantiser as one module for export: without cache, and without a size that is a constant."""

from __future__ import annotations

import math
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqspeech.errors import InputError
from vqspeech.melspectrogram import DIVISOR, FLOOR, OFFSET, filterbank, normalized, window_length
from vqspeech.model.vqvae import VQVAE


class LogMel(nn.Module):
    """``vqspeech.melspectrogram.log_mel`` with its window and filters as tensors of a module.

    Args:
        sample_rate: in Hz.
        hop: samples per frame.
        bands: how many.
    """

    def __init__(self, sample_rate: int, hop: int, bands: int) -> None:
        super().__init__()
        self.hop = hop
        self.size = window_length(sample_rate)
        self.register_buffer("window", torch.hann_window(self.size))
        self.register_buffer("bank", filterbank(sample_rate, bands, torch.device("cpu")).clone())

    def forward(self, waveform: Tensor) -> Tensor:
        """``(1, time)``, a multiple of the hop -> ``(1, time / hop, bands)``."""
        left = (self.size - self.hop) // 2
        padded = F.pad(waveform, (max(left, 0), self.size))
        if left < 0:
            padded = padded[:, -left:]
        power = self.power(padded).transpose(1, 2)[:, : waveform.shape[1] // self.hop]  # (1, time / hop, bins)
        return (torch.log(power @ cast(Tensor, self.bank) + FLOOR) + OFFSET) / DIVISOR

    def power(self, waveform: Tensor) -> Tensor:
        """Power spectra of the windows, ``(1, time)`` -> ``(1, bins, frames)``."""
        window = cast(Tensor, self.window)
        spectrum = torch.stft(
            waveform, self.size, hop_length=self.hop, window=window, center=False, return_complex=True
        )
        return torch.view_as_real(spectrum).square().sum(-1)  # (1, bins, frames)


class ConvolvedLogMel(LogMel):
    """The same by a convolution with windowed cosines and sines, where there is no Fourier transform.

    Args:
        sample_rate: as for ``LogMel``.
        hop: as for ``LogMel``.
        bands: as for ``LogMel``.
    """

    def __init__(self, sample_rate: int, hop: int, bands: int) -> None:
        super().__init__(sample_rate, hop, bands)
        time = torch.arange(self.size, dtype=torch.float64)
        bins = torch.arange(self.size // 2 + 1, dtype=torch.float64)
        # In integers first, so that large phases lose no digits.
        phase = 2 * math.pi / self.size * (bins[:, None] * time % self.size)  # (bins, window)
        window = torch.hann_window(self.size, dtype=torch.float64)
        basis = torch.cat([phase.cos() * window, phase.sin() * window]).float()  # (2 bins, window)
        self.register_buffer("basis", basis[:, None])

    def power(self, waveform: Tensor) -> Tensor:
        """As ``LogMel.power``."""
        transform = F.conv1d(waveform[:, None], cast(Tensor, self.basis), stride=self.hop)  # (1, 2 bins, frames)
        real, imaginary = transform.square().chunk(2, 1)
        return real + imaginary


class WaveformToCodes(nn.Module):
    """What is exported: ``(1, samples)`` at the model's rate and level -> ``(1, codes)`` int64.

    Args:
        network: in evaluation mode, on the CPU.
        front_end: how log-mel frames are computed.

    Raises:
        InputError: the model's codes come from another system.
    """

    def __init__(self, network: VQVAE, front_end: type[LogMel]) -> None:
        super().__init__()
        encoder = network.config.encoder
        if encoder.external:
            raise InputError(
                "the model has no encoder to export: its codes come from another system", hint="export that system's"
            )
        self.config = network.config
        self.companding = network.companding
        self.encoder = network.encoder
        self.quantizer = network.quantizer
        self.mel = (
            front_end(network.config.audio.sample_rate, encoder.mel_hop, encoder.mel_bands)
            if encoder.front_end == "log-mel"
            else None
        )

    def forward(self, waveform: Tensor) -> Tensor:
        """Encode and take the nearest codes."""
        hop = self.config.code_hop
        samples = waveform.shape[1]
        padded = F.pad(waveform, (0, (samples + hop - 1) // hop * hop - samples))  # (1, codes x hop)
        shaped = self.companding.preemphasise(padded)
        frames = None
        if self.mel is not None:
            frames = self.mel(shaped)  # (1, frames, bands)
            if self.config.encoder.input_norm:
                frames = normalized(frames)
        x = self.encoder.hidden(shaped[:, None] if frames is None else frames.transpose(1, 2))[-1]
        z = self._vectors(x)[0].t()  # (codes, dimension)
        book = self.quantizer.codebook
        return (book.square().sum(1) - 2 * z @ book.t()).argmin(1)[None]

    def _vectors(self, x: Tensor) -> Tensor:
        """``Encoder.vectors``, with the norm over the utterance in steps: its size is no constant in the graph."""
        if self.config.encoder.instance_norm:
            centred = x - x.mean(2, keepdim=True)
            x = centred / (centred.square().mean(2, keepdim=True) + 1e-5).sqrt()
        z: Tensor = self.encoder.projection(x)  # (1, dimension, codes)
        if self.config.encoder.frame_norm:
            z = F.layer_norm(z.transpose(1, 2), (self.config.encoder.dimension,)).transpose(1, 2)
        return z


def facts(network: VQVAE, checksum: str) -> dict[str, Any]:
    """What one who runs an exported model has to know, for the file's metadata.

    Args:
        network: what was exported.
        checksum: of what decides the codes.
    """
    config = network.config
    return {
        "sample_rate": config.audio.sample_rate,
        "rms": config.audio.rms,
        "codebook_size": config.quantizer.codes,
        "samples_per_code": config.code_hop,
        "checksum": checksum,
    }
