"""How often codes occur, how long they last, and what they cost in bits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray


def runs(codes: ArrayLike) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]:
    """Maximal runs of one code.

    Args:
        codes: shape ``(frames,)``.

    Returns:
        codes, first frames and lengths in frames of the runs, each of shape ``(runs,)``.
    """
    array = np.asarray(codes, dtype=np.int32)
    if not array.size:
        return array, np.empty(0, np.int64), np.empty(0, np.int64)
    starts = np.flatnonzero(np.concatenate(([True], array[1:] != array[:-1])))
    return array[starts], starts, np.diff(np.append(starts, array.size))


def usage(sequences: Iterable[ArrayLike], codebook_size: int) -> NDArray[np.int64]:
    """How often each code occurs, shape ``(codebook_size,)``."""
    counts = np.zeros(codebook_size, np.int64)
    for codes in sequences:
        counts += np.bincount(np.asarray(codes), minlength=codebook_size)
    return counts


def entropy(counts: ArrayLike) -> float:
    """Entropy in bits of the distribution that ``counts`` (any shape) are proportional to; 0 for no counts."""
    values = np.asarray(counts, np.float64).ravel()
    values = values[values > 0]
    if not values.size:
        return 0.0
    shares = values / values.sum()
    return max(0.0, float(-(shares * np.log2(shares)).sum()))


def perplexity(counts: ArrayLike) -> float:
    """``2 ** entropy``: the number of codes, all equally frequent, that would be as hard to guess."""
    return float(2.0 ** entropy(counts))


def bitrate(sequences: Iterable[ArrayLike], frame_period: float, *, collapse_runs: bool = False) -> float:
    """Bits per second: symbols per second times the entropy of one symbol.

    With ``collapse_runs`` a run of one code is one symbol, as in the ZeroSpeech Challenge 2019 (Dunbar et al. 2019,
    section 3.2): ``B = (M / D) * H``, M symbols in D seconds, H the entropy of their unigram distribution. (Timing,
    which the runs lose, is not counted there.)

    Args:
        sequences: arrays of shape ``(frames,)``.
        frame_period: seconds per code.
        collapse_runs: count runs instead of frames.
    """
    counts: Counter[int] = Counter()
    frames = 0
    for codes in sequences:
        array = np.asarray(codes, dtype=np.int32)
        frames += array.size
        values, times = np.unique(runs(array)[0] if collapse_runs else array, return_counts=True)
        counts.update(dict(zip(values.tolist(), times.tolist(), strict=True)))
    if not frames:
        return 0.0
    return sum(counts.values()) / (frames * frame_period) * entropy(list(counts.values()))
