"""Boundaries between units against boundaries between phones, and units joined by duration-penalised segmentation."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vqspeech.codes.duration_penalty import join_by_duration, scale_of

#: Seconds within which a boundary counts as found, the field's custom.
TOLERANCE = 0.02


@dataclass(frozen=True, slots=True)
class BoundaryCounts:
    """How many boundaries there are, were proposed and were right; counts add up over utterances."""

    reference: int = 0
    proposed: int = 0
    hits: int = 0

    def __add__(self, other: BoundaryCounts) -> BoundaryCounts:
        return BoundaryCounts(self.reference + other.reference, self.proposed + other.proposed, self.hits + other.hits)


@dataclass(frozen=True, slots=True)
class BoundaryScores:
    """Segmentation scores; 0 where there is nothing to divide by.

    Attributes:
        precision: share of proposed boundaries that are right.
        recall: share of reference boundaries that were found.
        f1: harmonic mean of both.
        over_segmentation: recall / precision - 1; above 0 where too many are proposed.
        r_value: 1 for a perfect segmentation, and unlike F1 not raised by proposing more (Räsänen, Laine and
            Altosaar 2009, "An improved speech segmentation quality measure: the R-value").
    """

    precision: float
    recall: float
    f1: float
    over_segmentation: float
    r_value: float


def count_hits(reference: ArrayLike, proposed: ArrayLike, *, tolerance: float = TOLERANCE) -> BoundaryCounts:
    """Match boundaries one to one, as many as can be.

    Args:
        reference: times in seconds, shape ``(boundaries,)``.
        proposed: times in seconds, shape ``(proposals,)``.
        tolerance: seconds by which a match may be off.
    """
    true, found = np.sort(np.asarray(reference, float)), np.sort(np.asarray(proposed, float))
    # 1 us of slack: a boundary exactly at the tolerance is a hit, whatever the rounding of the times.
    slack = tolerance + 1e-6
    first = second = hits = 0
    # Times in order and one tolerance for all: taking the earliest possible match is never worse.
    while first < true.size and second < found.size:
        difference = found[second] - true[first]
        if difference > slack:
            first += 1
        elif difference < -slack:
            second += 1
        else:
            hits, first, second = hits + 1, first + 1, second + 1
    return BoundaryCounts(int(true.size), int(found.size), hits)


def scores(counts: BoundaryCounts) -> BoundaryScores:
    """Precision, recall, F1, over-segmentation and R-value of summed counts."""
    precision = counts.hits / counts.proposed if counts.proposed else 0.0
    recall = counts.hits / counts.reference if counts.reference else 0.0
    f1 = 2 * precision * recall / (precision + recall) if counts.hits else 0.0
    # recall / precision - 1, which is proposed / reference - 1 and so has a value with no hits too.
    over = counts.proposed / counts.reference - 1 if counts.reference else 0.0
    from_ideal = math.hypot(1 - recall, over)
    from_line = (-over + recall - 1) / math.sqrt(2)
    return BoundaryScores(precision, recall, f1, over, 1 - (abs(from_ideal) + abs(from_line)) / 2)


def run_boundaries(codes: ArrayLike, *, frame_period: float, offset: float) -> NDArray[np.float64]:
    """Times at which the code changes: half-way between the centres of the two frames, in seconds.

    Args:
        codes: shape ``(frames,)``.
        frame_period: seconds per frame.
        offset: seconds to the centre of the first frame.
    """
    units = np.asarray(codes)
    changes = np.flatnonzero(units[1:] != units[:-1]) + 1
    return np.asarray(offset + (changes - 0.5) * frame_period, np.float64)


def even_boundaries(duration: float, *, spacing: float) -> NDArray[np.float64]:
    """Boundaries evenly spread over an utterance, as many as go into it: a segmentation without any information.

    Args:
        duration: of the utterance in seconds.
        spacing: seconds per boundary, such as the mean length of a phone.
    """
    number = int(duration / spacing + 0.5)
    return (np.arange(number, dtype=np.float64) + 0.5) * np.float64(duration / max(number, 1))


def evaluate(
    reference: Iterable[ArrayLike], proposed: Iterable[ArrayLike], *, tolerance: float = TOLERANCE
) -> BoundaryScores:
    """Score the boundaries of a set of utterances, times in seconds, one array per utterance."""
    total = BoundaryCounts()
    for true, found in zip(reference, proposed, strict=True):
        total += count_hits(true, found, tolerance=tolerance)
    return scores(total)


def codebook_distances(codes: ArrayLike, codebook: ArrayLike) -> NDArray[np.float64]:
    """Squared distance from each frame's codebook vector to every codebook vector, shape ``(frames, codes)``.

    Args:
        codes: shape ``(frames,)``.
        codebook: shape ``(codes, dimensions)``; ``np.eye(codes)`` where only the codes are known.
    """
    vectors = np.asarray(codebook, np.float64)
    norms = (vectors**2).sum(1)
    between = np.maximum(norms[:, None] + norms[None, :] - 2 * vectors @ vectors.T, 0.0)
    return np.asarray(between[np.asarray(codes)])


def join_sequences(sequences: Sequence[ArrayLike], codebook: ArrayLike, *, penalty: float) -> list[NDArray[np.int32]]:
    """:func:`join_by_duration` of every utterance, with the mean distance between two used codes as unit of penalty.

    Args:
        sequences: codes, each of shape ``(frames,)``.
        codebook: shape ``(codes, dimensions)``.
        penalty: in units of the mean squared distance between codebook vectors, so that one value suits any scale.
    """
    vectors = np.asarray(codebook, np.float64)
    used = vectors[np.unique(np.concatenate([np.asarray(codes) for codes in sequences]))]
    scale = scale_of(used)
    return [join_by_duration(codebook_distances(codes, vectors), penalty=penalty * scale) for codes in sequences]
