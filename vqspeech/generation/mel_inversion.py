"""From log-mel bands to a waveform without a decoder: what the codes keep, audible in seconds.

Band energies are spread over the bins of a spectrum by non-negative least squares (multiplicative updates of Lee and
Seung 2001, "Algorithms for non-negative matrix factorization", equation 4), and phases are found by Griffin and Lim's
iteration with momentum (Perraudin et al. 2013, "A fast Griffin-Lim algorithm").
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqspeech.errors import MissingExtraError
from vqspeech.melspectrogram import DIVISOR, FLOOR, OFFSET, filterbank, window_length

#: Iterations of the least squares and of the phases' search.
_SPREAD_STEPS, _PHASE_STEPS = 30, 32
#: Added to powers that are divided by.
_LEAST = 1e-10


@torch.no_grad()
def invert_mel(bands: Tensor, *, sample_rate: int, hop: int, seed: int = 0) -> NDArray[np.float32]:
    """A waveform whose log-mel bands are about the given ones.

    Args:
        bands: ``(frames, bands)``, as ``log_mel`` gives them.
        sample_rate: in Hz.
        hop: samples per frame, a divisor of a quarter of the window.
        seed: of the first phases.

    Returns:
        ``(frames x hop,)`` float32.
    """
    try:
        import librosa
    except ImportError as error:
        raise MissingExtraError("librosa", extra="evaluate", purpose="--through mel") from error

    window = window_length(sample_rate)
    step = max(hop, window // 4 // hop * hop)  # a quarter of a window, in whole frames
    energies = (torch.exp(bands.float() * DIVISOR - OFFSET) - FLOOR).clamp_min(_LEAST)[:: step // hop]
    power = spread(energies, filterbank(sample_rate, bands.shape[1], bands.device))  # (frames, bins)
    power = torch.cat([power, power[-1:]])  # the transform has a frame at the end, too
    count = len(bands) * hop
    made = librosa.griffinlim(
        power.sqrt().t().cpu().numpy(),
        n_iter=_PHASE_STEPS,
        hop_length=step,
        n_fft=window,
        length=(len(power) - 1) * step,
        random_state=seed,
    )
    # Frames of the transform are centred on their first sample, those of ``log_mel`` on the middle of their hop.
    made = np.pad(made, (hop // 2, max(0, count - len(made))))[:count]  # (frames x hop,)
    return np.asarray(made, np.float32)


def spread(energies: Tensor, bank: Tensor) -> Tensor:
    """Powers of bins whose sums over the filters are nearest to the energies.

    Args:
        energies: ``(frames, bands)``, positive.
        bank: ``(bins, bands)`` filters.

    Returns:
        ``(frames, bins)``, not negative.
    """
    power = (energies / bank.sum(0).clamp_min(_LEAST)) @ bank.t() + _LEAST  # (frames, bins)
    wanted, gram = energies @ bank.t(), bank @ bank.t()  # (frames, bins), (bins, bins)
    for _ in range(_SPREAD_STEPS):
        power = power * (wanted / (power @ gram).clamp_min(_LEAST))
    return power
