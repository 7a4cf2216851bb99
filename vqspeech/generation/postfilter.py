"""A post-filter: generated speech is brought towards the spectrum that the mel head expects of its codes.

A decoder that draws one sample after the other leaves noise in the valleys of the spectrum. The mel head looks at whole
frames and predicts better how strong each band should be. With ``m`` the log energy that it expects of a band and ``h``
what the speech has, the band is amplified by ``strength (m - h)``, within limits. Speech codecs end in filters of this
kind (Chen and Gersho 1995, "Adaptive postfiltering for quality enhancement of coded speech").
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from vqspeech.generation.conditioning import ConditioningPlan
from vqspeech.melspectrogram import DIVISOR, filterbank, log_mel, window_length

#: How much of the difference is made up for, unless asked otherwise (measured: egs/default_model/RESULTS.md).
STRENGTH = 0.7
#: Most amplification and most attenuation of a band, in dB.
UP, DOWN = 6.0, 15.0
#: Seconds that are filtered at a time.
_BLOCK_SECONDS = 30


def post_filter(waveform: Tensor, bands: Tensor, *, sample_rate: int, hop: int, strength: float) -> Tensor:
    """Bring speech towards the bands expected of it.

    Args:
        waveform: ``(samples,)`` at the working level.
        bands: ``(samples / hop, bands)``, log energies as ``log_mel`` gives them.
        sample_rate: in Hz.
        hop: samples per frame of ``bands``.
        strength: 0 leaves the speech as it is, 1 makes up for all of the difference.

    Returns:
        ``(samples,)``.
    """
    found = log_mel(waveform[None], sample_rate=sample_rate, hop=hop, bands=bands.shape[1])[0]  # (frames, bands)
    gains = bin_gains(bands, found, sample_rate=sample_rate, strength=strength).t()  # (bins, frames)
    size = window_length(sample_rate)
    step, window = size // 4, torch.hann_window(size, device=waveform.device)
    spectrum = torch.stft(waveform, size, step, window=window, pad_mode="constant", return_complex=True)
    centres = torch.arange(spectrum.shape[1], device=waveform.device) * step
    frames = (centres // hop).clamp(max=len(bands) - 1)  # (steps,)
    return torch.istft(spectrum * gains[:, frames].exp(), size, step, window=window, length=len(waveform))


def bin_gains(bands: Tensor, found: Tensor, *, sample_rate: int, strength: float) -> Tensor:
    """The gains of the bins of a spectrum.

    Args:
        bands: ``(frames, bands)``, log energies that are expected, as ``log_mel`` gives them.
        found: ``(frames, bands)``, those of the speech.
        sample_rate: in Hz.
        strength: as for ``post_filter``.

    Returns:
        ``(frames, bins)``, natural logarithms of amplitudes.
    """
    # Natural logarithms of amplitudes: half those of energies.
    lacking = strength * (bands - found) * DIVISOR / 2  # (frames, bands)
    a_decibel = math.log(10) / 20
    return lacking.clamp(-DOWN * a_decibel, UP * a_decibel) @ _shares(sample_rate, bands.shape[1], bands.device)


@lru_cache(maxsize=8)
def _shares(sample_rate: int, bands: int, device: torch.device) -> Tensor:
    """A bin's gain is the mean of those of the bands it is in, and none in those in none: ``(bands, bins)``."""
    with torch.inference_mode(mode=False):  # what is kept serves any mode, whoever asks first
        bank = filterbank(sample_rate, bands, device)  # (bins, bands)
        return (bank / bank.sum(1, keepdim=True).clamp_min(1e-9)).t().contiguous()


@torch.no_grad()
def refine(plan: ConditioningPlan, waveform: Tensor, *, strength: float) -> Tensor:
    """Bring the speech of codes towards what the mel head expects of them, in blocks, however long it is.

    Args:
        plan: the conditioning of the utterance; if its model has no mel head, the speech stays as it is.
        waveform: ``(codes x code_hop,)``, what was spoken.
        strength: as for ``post_filter``.

    Returns:
        ``(codes x code_hop,)``.
    """
    config = plan.network.config
    if not strength or not config.conditioner.mel_bands or not len(plan):
        return waveform
    hop, rate = config.code_hop, config.audio.sample_rate
    size = window_length(rate)
    # Blocks and what they see on either side are whole steps of the spectrum, so that all see the same frames of it.
    unit = math.lcm(hop, size // 4, config.conditioner.hop)
    around = math.ceil(2 * size / unit) * unit
    block = math.ceil(_BLOCK_SECONDS * rate / unit) * unit
    refined = torch.empty_like(waveform)
    for start in range(0, len(waveform), block):
        begin, end = max(0, start - around), min(len(waveform), start + block + around)
        bands = plan.mel(begin // hop, end // hop)
        assert bands is not None
        chunk = post_filter(waveform[begin:end], bands, sample_rate=rate, hop=config.conditioner.hop, strength=strength)
        refined[start : start + block] = chunk[start - begin : start - begin + block]
    return refined
