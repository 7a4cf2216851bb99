"""Mel-frequency cepstra and log-mel frames with explicit times, and features brought to the frames of codes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vqspeech.errors import InputError

if TYPE_CHECKING:
    from vqspeech.datadir import DataDir
    from vqspeech.evaluation.frames import Frames

#: Seconds of a window and from one to the next, the field's custom.
WINDOW, HOP = 0.025, 0.01
#: Cepstral coefficients; with their first and second differences, 39 dimensions.
COEFFICIENTS = 13
_MELS = 40
_PREEMPHASIS = 0.97


def mfcc(waveform: ArrayLike, rate: int = 16_000) -> NDArray[np.float32]:
    """13 MFCCs with first and second differences every 10 ms.

    The centre of frame ``i`` is at ``0.0125 + 0.01 * i`` seconds; nothing is padded.

    Args:
        waveform: shape ``(samples,)``; shorter than a window, it is padded with zeros to one.
        rate: samples per second.

    Returns:
        Shape ``(frames, 39)``.
    """
    import librosa

    emphasised, window, hop = _emphasised(waveform, rate)
    cepstra = librosa.feature.mfcc(
        y=emphasised, sr=rate, n_mfcc=COEFFICIENTS, n_fft=window, hop_length=hop, n_mels=_MELS, center=False
    )
    first = librosa.feature.delta(cepstra, mode="nearest")
    second = librosa.feature.delta(cepstra, order=2, mode="nearest")
    return np.ascontiguousarray(np.concatenate((cepstra, first, second)).T, dtype=np.float32)


def log_mel(waveform: ArrayLike, rate: int = 16_000) -> NDArray[np.float32]:
    """Log energies in 40 mel bands every 10 ms, the mean of each band over the utterance removed.

    Frames lie where those of :func:`mfcc` do. Without the mean, all angles between frames would be small.

    Args:
        waveform: as for :func:`mfcc`.
        rate: samples per second.

    Returns:
        Shape ``(frames, 40)``.
    """
    import librosa

    emphasised, window, hop = _emphasised(waveform, rate)
    energies = librosa.feature.melspectrogram(
        y=emphasised, sr=rate, n_fft=window, hop_length=hop, n_mels=_MELS, center=False
    )
    bands = np.log(np.maximum(energies, 1e-10)).T
    return np.ascontiguousarray(bands - bands.mean(0), dtype=np.float32)


def _emphasised(waveform: ArrayLike, rate: int) -> tuple[NDArray[np.float32], int, int]:
    """The waveform after pre-emphasis, at least a window long, and the samples of window and hop."""
    window, hop = round(WINDOW * rate), round(HOP * rate)
    samples = np.asarray(waveform, np.float32)
    if samples.size < window:
        samples = np.pad(samples, (0, window - samples.size))
    return np.append(samples[:1], samples[1:] - _PREEMPHASIS * samples[:-1]), window, hop


def pool(
    features: NDArray[np.float32],
    times: ArrayLike,
    *,
    period: float,
    feature_period: float = HOP,
    feature_offset: float = WINDOW / 2,
) -> NDArray[np.float32]:
    """The mean of the features around each time: theirs whose centres are within half a period of it.

    A time with no such centre takes the nearest.

    Args:
        features: shape ``(feature frames, dimensions)``.
        times: centres of the wanted frames in seconds, shape ``(frames,)``.
        period: seconds from one wanted frame to the next.
        feature_period: seconds from one feature frame to the next.
        feature_offset: seconds to the centre of the first feature frame.

    Returns:
        Shape ``(frames, dimensions)``.
    """
    centres = (np.asarray(times, np.float64) - feature_offset) / feature_period
    half = period / feature_period / 2
    last = len(features) - 1
    nearest = np.clip(np.rint(centres).astype(int), 0, last)
    # Inside by a small tolerance, so that a centre on the border of two frames is in one of them.
    first = np.clip(np.ceil(centres - half + 1e-6).astype(int), 0, last)
    end = np.clip(np.floor(centres + half + 1e-6).astype(int), -1, last) + 1
    alone = end <= first
    first, end = np.where(alone, nearest, first), np.where(alone, nearest + 1, end)
    sums = np.concatenate((np.zeros((1, features.shape[1])), np.cumsum(features, axis=0, dtype=np.float64)))
    return np.asarray((sums[end] - sums[first]) / (end - first)[:, None], np.float32)


def pooled_mfccs(frames: Frames, data: DataDir, *, where: str) -> NDArray[np.float32]:
    """MFCCs at the frames of codes, shape ``(frames, 39)``; one recording is in memory at a time."""
    return np.concatenate([rows for _, rows in pooled_mfccs_of(frames.utterances, frames, data, where=where)])


def pooled_mfccs_of(
    utterances: Sequence[str], frames: Frames, data: DataDir, *, where: str
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Some utterances' names and MFCCs at the frames of their codes, shape ``(frames, 39)``."""
    lengths = dict(zip(frames.utterances, np.diff(frames.bounds).tolist(), strict=True))
    for name, cepstra in utterance_mfccs(utterances, data, where=where):
        times = frames.offset + frames.frame_period * np.arange(lengths[name])
        yield name, pool(cepstra, times, period=frames.frame_period)


def utterance_mfccs(
    utterances: Sequence[str],
    data: DataDir,
    *,
    where: str,
    compute: Callable[[NDArray[np.float32]], NDArray[np.float32]] = mfcc,
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """The utterances' names and MFCCs every 10 ms, shape ``(mfcc frames, 39)``, or what ``compute`` makes of them."""
    from tqdm import tqdm

    from vqspeech import audio

    for name in tqdm(utterances, desc="MFCCs", unit="utterance", disable=None, leave=False):
        if name not in data:
            raise InputError(
                f"no recording of utterance {name}",
                where=where,
                hint="name the data directory the codes were made from",
            )
        utterance = data[name]
        yield name, compute(audio.read(utterance.recording, start=utterance.start, end=utterance.end))
