"""The frequency axis of power spectra, scaled: in training at random, in conversion towards the F0 of the target.

The codes of a decoder that reconstructs hold the source's F0 beside everything else, and it outweighs the pitch that
conditions the decoder: of women converted to men, four in ten kept a woman's F0. So before a recording is encoded for
conversion, its spectra are scaled by

    exp(share (target - source)), at most ``MOST`` up or down,

``source`` and ``target`` being the means of log-F0. That moves formants and harmonics alike, as the vocal tract length
perturbation of training does (Jaitly and Hinton 2013), and the encoder has learnt to leave it out of the words.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

#: Largest factor in conversion, up or down.
MOST = 1.3


def warp_spectra(power: Tensor, factor: Tensor | float) -> Tensor:
    """Scale the frequency axis.

    Args:
        power: ``(batch, frames, bins)``, bins evenly spaced from 0 Hz.
        factor: ``(batch, 1)`` or one for all: what is at frequency f comes to f x factor.

    Returns:
        The same shape, interpolated; above the highest frequency the last bin is repeated.
    """
    bins = power.shape[2]
    position = (torch.arange(bins, device=power.device) / factor).clamp(max=bins - 1)  # (bins,) or (batch, bins)
    low = position.long()
    part = position - low
    high = (low + 1).clamp(max=bins - 1)
    of_low, of_high = (
        power.gather(2, index.expand(len(power), bins)[:, None].expand_as(power)) for index in (low, high)
    )
    return torch.lerp(of_low, of_high, part.expand(len(power), bins)[:, None])


def f0_factor(source: float, target: float, share: float) -> float:
    """The factor that brings a speaker's F0 towards another's.

    Args:
        source: mean of log-F0, in natural logarithms of Hz.
        target: likewise.
        share: of the way, 0 to 1.
    """
    return min(MOST, max(1 / MOST, math.exp(share * (target - source))))
