"""Speech taken apart and put together again without a model: what the measures of conversion stand between."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vqspeech import audio

#: Samples of a window and from one to the next; mel bands; steps of the phase's search.
_WINDOW, _HOP, _BANDS, _STEPS = 1024, 128, 80, 32


def mu_law_round_trip(
    waveform: NDArray[np.float32], *, levels: int = 256, emphasis: float = 0.85, gain: float = 4.0
) -> NDArray[np.float32]:
    """Through the 8-bit mu-law code that the WaveNet predicts, and back: no conversion can sound better.

    Args:
        waveform: ``(samples,)`` at 16 kHz, of any level.
        levels: as ``vqspeech.companding.Companding``.
        emphasis: as there.
        gain: as there.
    """
    import torch

    from vqspeech.companding import Companding

    chain = Companding(levels=levels, emphasis=emphasis, gain=gain)
    levelled = torch.from_numpy(audio.normalise_level(waveform))
    return np.asarray(chain.waveform(chain.classes(levelled)), np.float32)


def griffin_lim(waveform: NDArray[np.float32]) -> NDArray[np.float32]:
    """Amplitudes in 80 mel bands, spread over the spectrum again and given phases (Griffin and Lim 1984).

    Args:
        waveform: ``(samples,)`` at 16 kHz.

    Returns:
        ``(samples,)``.
    """
    import librosa

    spectrum = np.abs(librosa.stft(waveform, n_fft=_WINDOW, hop_length=_HOP))
    filters = librosa.filters.mel(sr=audio.SAMPLE_RATE, n_fft=_WINDOW, n_mels=_BANDS)
    spread = np.maximum(np.linalg.pinv(filters) @ (filters @ spectrum), 0)
    made = librosa.griffinlim(
        spread, n_iter=_STEPS, hop_length=_HOP, n_fft=_WINDOW, length=len(waveform), random_state=0
    )
    return np.asarray(made, np.float32)
