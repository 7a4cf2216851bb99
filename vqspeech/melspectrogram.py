"""Log-mel frames and their cepstra: target of the auxiliary head and input of the log-mel front end."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

#: Added to the band energies before the logarithm: silence then lies at a fixed floor and not at minus infinity.
FLOOR = 1e-4
#: What is added to the natural logarithm of an energy, and what the sum is divided by.
OFFSET, DIVISOR = 1.0, 3.0


def window_length(sample_rate: int) -> int:
    """Samples of an analysis window: the power of two nearest to 32 ms."""
    return 2 ** round(math.log2(0.032 * sample_rate))


@lru_cache(maxsize=8)
def _hann(window: int, device: torch.device) -> Tensor:
    """Hann's window, ``(window,)``."""
    with torch.inference_mode(mode=False):  # what is kept serves training, too, whoever asks first
        return torch.hann_window(window, device=device)


@lru_cache(maxsize=8)
def filterbank(sample_rate: int, bands: int, device: torch.device) -> Tensor:
    """``(bins, bands)`` triangular filters, HTK mel scale, from 40 Hz to just under half the sampling rate."""
    from vqspeech.torchaudio_import import torchaudio

    bins = window_length(sample_rate) // 2 + 1
    with torch.inference_mode(mode=False):
        bank: Tensor = torchaudio.functional.melscale_fbanks(bins, 40.0, 0.4875 * sample_rate, bands, sample_rate)
        return bank.to(device)


def log_mel(
    waveform: Tensor,
    *,
    sample_rate: int,
    hop: int,
    bands: int,
    alter: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """Log energies in mel bands, one frame for each whole hop, its window centred on the middle of the hop.

    Args:
        waveform: ``(batch, time)``.
        sample_rate: in Hz.
        hop: samples per frame.
        bands: how many.
        alter: applied to the power spectra, ``(batch, time // hop, bins)``, before they are summed into bands.

    Returns:
        ``(batch, time // hop, bands)`` float32, about zero mean and unit variance for speech at the working level.
    """
    with torch.autocast(waveform.device.type, enabled=False):
        window = window_length(sample_rate)
        left = (window - hop) // 2
        padded = F.pad(waveform.float(), (max(left, 0), window))
        if left < 0:
            padded = padded[:, -left:]
        count = waveform.shape[1] // hop
        return log_mel_windows(padded, count, sample_rate=sample_rate, hop=hop, bands=bands, alter=alter)


def log_mel_windows(
    waveform: Tensor,
    count: int,
    *,
    sample_rate: int,
    hop: int,
    bands: int,
    alter: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """As ``log_mel``, of the first ``count`` windows, the first of which begins with the first sample.

    Args:
        waveform: ``(batch, time)``, with at least ``(count - 1) hop`` samples and a window.
        count: frames.
        sample_rate: as for ``log_mel``.
        hop: as for ``log_mel``.
        bands: as for ``log_mel``.
        alter: as for ``log_mel``.

    Returns:
        ``(batch, count, bands)`` float32.
    """
    # torch.stft computes the same, at more than twice the cost of a few windows.
    window = window_length(sample_rate)
    windows = waveform.unfold(1, window, hop)[:, :count] * _hann(window, waveform.device)  # (batch, frames, window)
    spectrum = torch.fft.rfft(windows)  # (batch, frames, bins)
    power = spectrum.real.square() + spectrum.imag.square()
    if alter is not None:
        power = alter(power)
    energies = power @ filterbank(sample_rate, bands, waveform.device)  # (batch, frames, bands)
    return (torch.log(energies + FLOOR) + OFFSET) / DIVISOR


def cepstra(bands: Tensor, count: int) -> Tensor:
    """The first cepstra of log-mel frames: their orthonormal DCT-II, which parts the envelope from the harmonics.

    Args:
        bands: ``(batch, time, bands)``.
        count: how many to keep; the first is the loudness, those beyond about 13 are the pitch's.

    Returns:
        ``(batch, time, count)`` float32.
    """
    with torch.autocast(bands.device.type, enabled=False):
        size = bands.shape[2]
        # In doubles: the cosines of large phases lose digits otherwise.
        phases = torch.arange(count)[:, None] * (torch.arange(size, dtype=torch.float64) + 0.5)
        basis = torch.cos(math.pi / size * phases) * math.sqrt(2 / size)
        basis[0] /= math.sqrt(2)
        return bands.float() @ basis.t().to(bands.device, torch.float32)


#: Added to the spread that is divided by, so that digital silence is not blown up.
LEAST_SPREAD = 0.05


def normalized(frames: Tensor) -> Tensor:
    """Frames with the mean and the spread of each column, over the time of each row, taken away.

    The mean of log-mel bands or cepstra holds the microphone, the room and much of the speaker (Atal 1974,
    "Effectiveness of linear prediction characteristics of the speech wave for automatic speaker identification and
    verification"). Divided by their spreads, all columns count alike: in log-mel bands as they are, the loudness
    outweighs the shape of the spectrum.

    Args:
        frames: ``(batch, time, columns)``.

    Returns:
        The same shape.
    """
    spread = frames.std(1, keepdim=True, correction=0)
    return (frames - frames.mean(1, keepdim=True)) / (spread + LEAST_SPREAD)
