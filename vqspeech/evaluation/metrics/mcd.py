"""How far apart two readings of the same words are in colour: mel-cepstral distortion (Kubichek 1993).

With mel-cepstral coefficients ``c`` of the log amplitude spectrum the distortion is
``10 / ln 10 * sqrt(2 * sum over d of (c_d - c'_d)^2)`` dB, without ``c_0``, the level. That is the root mean square
difference of two smoothed log spectra over the mel axis. Here the spectra are log amplitudes in mel bands and the
coefficients their orthonormal cosine transform, for which the same distance is
``20 / ln 10 * sqrt(sum / bands)`` dB. Figures by other front ends (WORLD, SPTK) differ by a dB or so.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vqspeech import audio

#: Coefficients that are compared: 1 to this.
ORDER = 24
_BANDS = 80
#: Samples of a window (32 ms) and from one to the next (5 ms).
_WINDOW, _HOP = 512, 80
#: Amplitude below which there is nothing to compare: about -60 dB of speech at the working level in a band.
_FLOOR = 1e-3


def mel_cepstra(waveform: NDArray[np.float32]) -> NDArray[np.float64]:
    """``(samples,)`` at 16 kHz -> ``(frames, ORDER)``, a frame each 5 ms; silence at either end is cut."""
    import librosa
    from scipy.fft import dct

    speech = audio.trim_silence(audio.normalise_level(waveform))
    amplitudes = librosa.feature.melspectrogram(
        y=speech, sr=audio.SAMPLE_RATE, n_fft=_WINDOW, hop_length=_HOP, n_mels=_BANDS, power=1.0
    )
    logarithms = np.log(np.maximum(amplitudes.astype(np.float64), _FLOOR))
    return np.asarray(dct(logarithms, type=2, norm="ortho", axis=0)[1 : ORDER + 1].T)


def distortion(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Distortion in dB, mean over the path of dynamic time warping that brings the two together at least cost.

    Args:
        first: ``(samples,)`` at 16 kHz.
        second: another reading of the same words.
    """
    import librosa

    one, other = mel_cepstra(first), mel_cepstra(second)
    _, path = librosa.sequence.dtw(one.T, other.T, metric="euclidean")
    apart = one[path[:, 0]] - other[path[:, 1]]
    return float(20 / np.log(10) * np.sqrt((apart**2).sum(1) / _BANDS).mean())
