"""Log-mel frames: what the auxiliary head predicts and what the log-mel front end hears."""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

#: Added to the band energies before the logarithm: silence then lies at a fixed floor and not at minus infinity.
FLOOR = 1e-4


def window_length(sample_rate: int) -> int:
    """Samples of an analysis window: the power of two nearest to 32 ms."""
    return 2 ** round(torch.log2(torch.tensor(0.032 * sample_rate)).item())


@lru_cache(maxsize=8)
def _filterbank(sample_rate: int, bands: int, device: torch.device) -> Tensor:
    """``(bins, bands)`` triangular filters, HTK mel scale, from 40 Hz to just under half the sampling rate."""
    from vqspeech.torchaudio_import import torchaudio

    bins = window_length(sample_rate) // 2 + 1
    bank: Tensor = torchaudio.functional.melscale_fbanks(bins, 40.0, 0.4875 * sample_rate, bands, sample_rate)
    return bank.to(device)


def log_mel(waveform: Tensor, *, sample_rate: int, hop: int, bands: int) -> Tensor:
    """Log energies in mel bands, one frame for each whole hop, its window centred on the middle of the hop.

    Args:
        waveform: ``(batch, time)``.
        sample_rate: in Hz.
        hop: samples a frame.
        bands: how many.

    Returns:
        ``(batch, time // hop, bands)`` float32, about zero mean and unit variance for speech at the working level.
    """
    with torch.autocast(waveform.device.type, enabled=False):
        window = window_length(sample_rate)
        left = (window - hop) // 2
        padded = F.pad(waveform.float(), (max(left, 0), window))
        if left < 0:
            padded = padded[:, -left:]
        spectrum = torch.stft(
            padded,
            window,
            hop_length=hop,
            window=torch.hann_window(window, device=waveform.device),
            center=False,
            return_complex=True,
        )[:, :, : waveform.shape[1] // hop]
        energies = spectrum.abs().square().transpose(1, 2) @ _filterbank(sample_rate, bands, waveform.device)
        return (torch.log(energies + FLOOR) + 1) / 3
