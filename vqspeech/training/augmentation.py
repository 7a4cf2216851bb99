"""What the encoder's input is put through in training, drawn anew for every segment: other voices, rooms, microphones.

Everything acts on the power spectra of the log-mel front end, so it needs no stored copies and runs where the model
runs. The target stays the clean recording in the speaker's own voice.

- Frequency warping, which moves formants and harmonics alike and keeps the timing: another speaker (Jaitly and Hinton
  2013, "Vocal tract length perturbation", warp the mel filters in the same way).
- Channel: a smooth random equaliser, a band limit, coloured noise or other speech underneath, late reverberation as an
  exponential decay of power (Habets 2007 models it so).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vqspeech.model.frequency_warp import warp_spectra

#: Largest warping factor, up or down.
WARP = 1.25
#: Spread of the equaliser at its knots, in dB, and how many knots there are.
EQUALISER_SPREAD, KNOTS = 5.0, 7
#: Signal-to-noise ratios, in dB; reverberation times, in seconds; shares of power in the reverberation.
NOISE_RANGE, REVERBERATION_TIMES, REVERBERATION_SHARES = (3.0, 30.0), (0.15, 0.7), (0.02, 0.3)
#: How often each channel effect is applied to a row that is augmented.
EQUALISER, BAND_LIMIT, NOISE, REVERBERATION = 0.8, 0.25, 0.6, 0.3


class SpectralAugmentation:
    """Augment power spectra.

    Args:
        warp: probability that a row is warped.
        channel: probability that a row gets channel effects.
        frame_rate: of the spectra, in Hz.
    """

    def __init__(self, *, warp: float, channel: float, frame_rate: float) -> None:
        self.warp = warp
        self.channel = channel
        self.frame_rate = frame_rate

    def __call__(self, power: Tensor) -> Tensor:
        """``(batch, frames, bins)`` -> the same shape; random numbers are torch's."""
        if self.warp:
            power = self._warped(power)
        if self.channel:
            altered = self._noisy(self._reverberated(power))
            altered = altered * self._equaliser(power)
            power = torch.where(_chance(power, self.channel), altered, power)
        return power

    def _warped(self, power: Tensor) -> Tensor:
        factor = WARP ** (2 * torch.rand(len(power), 1, device=power.device) - 1)
        factor = torch.where(_chance(power, self.warp)[:, :, 0], factor, torch.ones_like(factor))  # (batch, 1)
        return warp_spectra(power, factor)

    def _equaliser(self, power: Tensor) -> Tensor:
        """``(batch, 1, bins)`` factors on power."""
        batch, _, bins = power.shape
        decibels = _smooth_curve(batch, bins, power.device) * EQUALISER_SPREAD
        equalised = _chance(power, EQUALISER)[:, :, 0]  # (batch, 1)
        decibels = torch.where(equalised, decibels, torch.zeros_like(decibels))  # (batch, bins)
        cut = bins * (0.35 + 0.6 * torch.rand(batch, 1, device=power.device))
        slope = (torch.arange(bins, device=power.device) - cut).clamp(0, 10) * 4.0  # to 40 dB below, within ten bins
        slope = torch.where(_chance(power, BAND_LIMIT)[:, :, 0], slope, torch.zeros_like(slope))  # (batch, bins)
        return torch.pow(10.0, (decibels - slope) / 10)[:, None]

    def _noisy(self, power: Tensor) -> Tensor:
        batch, _, bins = power.shape
        # Noise of a Gaussian process has exponentially distributed power; the other kind is speech of the next rows.
        tilt = torch.pow(10.0, _smooth_curve(batch, bins, power.device) * EQUALISER_SPREAD / 10)[:, None]
        falling = 1 / (1 + 0.1 * torch.rand(batch, 1, 1, device=power.device) * torch.arange(bins, device=power.device))
        steady = torch.empty_like(power).exponential_() * tilt * falling
        babble = power.roll(1, 0) + power.roll(2, 0) + power.roll(3, 0)
        noise = torch.where(_chance(power, 0.7), steady, babble)
        low, high = NOISE_RANGE
        ratio = low + (high - low) * torch.rand(batch, 1, 1, device=power.device)  # (batch, 1, 1)
        scale = power.mean((1, 2), keepdim=True) / noise.mean((1, 2), keepdim=True).clamp_min(1e-12)
        noisy = power + noise * scale * torch.pow(10.0, -ratio / 10)
        return torch.where(_chance(power, NOISE), noisy, power)

    def _reverberated(self, power: Tensor) -> Tensor:
        batch, frames, _ = power.shape
        low, high = (math.log(value) for value in REVERBERATION_TIMES)
        time = torch.exp(low + (high - low) * torch.rand(batch, 1, 1, device=power.device))
        least, most = REVERBERATION_SHARES
        share = least + (most - least) * torch.rand(batch, 1, 1, device=power.device)
        decay = -math.log(1e6) / (time * self.frame_rate)  # of power per frame: 60 dB in the reverberation time
        steps = torch.arange(frames, device=power.device)
        age = (steps[:, None] - steps).clamp_min(0)  # (frames, frames)
        kernel = torch.exp(decay * age) * (steps[:, None] > steps) * share * -decay  # (batch, frames, frames)
        late = kernel @ power  # (batch, frames, bins)
        return torch.where(_chance(power, REVERBERATION), power + late, power)


def _chance(power: Tensor, probability: float) -> Tensor:
    """``(batch, 1, 1)`` bool, each True with the probability."""
    return torch.rand(len(power), 1, 1, device=power.device) < probability


def _smooth_curve(batch: int, bins: int, device: torch.device) -> Tensor:
    """``(batch, bins)``: random values of unit variance at a few knots, joined by straight lines."""
    knots = torch.randn(batch, 1, KNOTS, device=device)
    curve: Tensor = torch.nn.functional.interpolate(knots, size=bins, mode="linear", align_corners=True)
    return curve[:, 0]
