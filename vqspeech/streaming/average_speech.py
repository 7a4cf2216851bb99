"""Average speech: what a stream is normalised by before it has said anything.

Measured on 244 recordings of some 200 speakers of VCTK, LibriSpeech, ARCTIC and speechocean762, each at a level of
active speech of 1, over its speech: the mean over recordings of the mean logarithm of the power density (in 1/Hz, one
side), and the root mean square of its deviations within a recording. A recording's own means are 0.4 / 3 to 0.6 / 3 of
those deviations from these, and so a second of its own speech is better.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

from vqspeech.melspectrogram import DIVISOR, FLOOR, OFFSET, filterbank, window_length
from vqspeech.model.config import ModelConfig

_HZ = [
    40, 80, 125, 180, 250, 350, 450, 550, 700, 850, 1000, 1250, 1500, 1750,
    2000, 2500, 3000, 3500, 4000, 4500, 5000, 5500, 6000, 6500, 7000, 7400, 7750,
]  # fmt: skip
#: Natural logarithms of the power density.
_MEANS = [
    -12.0, -11.8, -10.9, -10.6, -10.6, -11.1, -11.2, -11.7, -12.8, -13.5, -13.9, -14.3, -14.4, -14.6,
    -14.8, -15.1, -15.3, -15.8, -16.2, -16.8, -17.4, -17.8, -18.1, -18.3, -18.5, -19.0, -19.2,
]  # fmt: skip
#: Deviations in time, in the units of ``log_mel`` (of three natural logarithms).
_DEVIATIONS = [
    0.67, 0.74, 1.0, 1.22, 1.23, 1.22, 1.27, 1.25, 1.19, 1.11, 1.09, 1.07, 1.08, 1.08,
    1.07, 1.09, 1.09, 1.07, 1.05, 1.03, 1.01, 1.0, 0.98, 0.98, 0.97, 0.94, 0.92,
]  # fmt: skip


def average_moments(config: ModelConfig) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and variance of the log-mel bands of a model's front end over average speech at its working level.

    With ``S`` the power density, a bin of the spectrum of windows ``w`` holds ``S rate / 2 sum(w^2)`` on average, and
    pre-emphasis ``1 - a z^-1`` and the gain ``g`` multiply that by ``g^2 |1 - a e^(-j omega)|^2``.

    Args:
        config: of a model with the log-mel front end.

    Returns:
        ``(bands,)`` each, in the units of ``log_mel``.
    """
    audio, bands = config.audio, config.encoder.mel_bands
    rate, size = audio.sample_rate, window_length(audio.sample_rate)
    bank = filterbank(rate, bands, torch.device("cpu")).double().numpy()  # (bins, bands)
    weights = np.maximum(bank.sum(0), 1e-3)  # (bands,); of many bands some have no bin
    hz = np.arange(len(bank)) * rate / size
    centres = (hz @ bank) / weights  # (bands,)
    response = np.abs(1 - audio.emphasis * np.exp(-2j * np.pi * centres / rate)) ** 2
    window_energy = float(torch.hann_window(size).square().sum())
    scale = (audio.rms * audio.gain) ** 2 * rate / 2 * window_energy
    logs = np.interp(_mel(centres), _mel(np.array(_HZ)), _MEANS) + np.log(scale * weights * response)
    deviations = np.interp(_mel(centres), _mel(np.array(_HZ)), _DEVIATIONS)
    return (np.maximum(logs, math.log(FLOOR)) + OFFSET) / DIVISOR, deviations**2


def _mel(hz: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.asarray(np.log1p(np.asarray(hz) / 700))
