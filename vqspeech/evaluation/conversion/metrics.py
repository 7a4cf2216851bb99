"""Metrics of converted recordings: one row per pair, means over the rows, and their confidence intervals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vqspeech.evaluation.bootstrap import Intervals, interval, resampling
from vqspeech.evaluation.conversion.pairs import Relation


@dataclass(frozen=True, slots=True)
class PairMetrics:
    """Metrics of one pair; None where a metric is not installed or not defined.

    Attributes:
        source: the source's speaker.
        target: the target speaker.
        utterance: the source's name.
        gender: as ``Pair``.
        seen: as ``Pair``.
        similarity_target: cosine of the speaker embedding to the mean of the target's recordings.
        similarity_source: the same to the source speaker's other recordings.
        target_wins: whether the former is the greater.
        wer: word errors a word of the reference.
        words: how many words the reference has.
        transcript: what the recogniser wrote.
        dnsmos: overall opinion score, 1 to 5.
        f0_mean: in Hz.
        f0_mean_target: of the target's recordings, in Hz.
        f0_difference: how far the former is from the latter, in semitones, without sign.
        f0_range: 5th to 95th percentile, in semitones.
        f0_range_target: of the target's recordings.
        f0_correlation: of log F0 with the source's, where both are voiced.
        mcd: mel-cepstral distortion against a reading of the same words by the target, in dB.
        duration: in seconds.
    """

    source: str
    target: str
    utterance: str
    gender: Relation | None = None
    seen: bool | None = None
    similarity_target: float | None = None
    similarity_source: float | None = None
    target_wins: bool | None = None
    wer: float | None = None
    words: int | None = None
    transcript: str | None = None
    dnsmos: float | None = None
    f0_mean: float | None = None
    f0_mean_target: float | None = None
    f0_difference: float | None = None
    f0_range: float | None = None
    f0_range_target: float | None = None
    f0_correlation: float | None = None
    mcd: float | None = None
    duration: float | None = None


#: Fields that each metric fills in.
FIELDS: dict[str, tuple[str, ...]] = {
    "similarity": ("similarity_target", "similarity_source", "target_wins"),
    "words": ("wer", "words", "transcript"),
    "quality": ("dnsmos",),
    "pitch": ("f0_mean", "f0_mean_target", "f0_difference", "f0_range", "f0_range_target", "f0_correlation"),
    "cepstra": ("mcd",),
}
#: Figures of a row that have a mean.
FIGURES = (*(name for names in FIELDS.values() for name in names if name not in ("words", "transcript")), "duration")


@dataclass(frozen=True)
class System:
    """A system, a baseline or a topline, scored on all pairs.

    Attributes:
        rows: one per pair.
        mean: figure -> mean over the rows that have it; ``wer`` is errors of all rows by words of all rows.
    """

    rows: tuple[PairMetrics, ...]
    mean: dict[str, float | None]

    @classmethod
    def of(cls, rows: Iterable[PairMetrics]) -> System:
        """Take the means."""
        kept = tuple(rows)
        return cls(kept, means(kept))


def means(rows: Sequence[PairMetrics]) -> dict[str, float | None]:
    """Means of all figures over the rows that have them; ``wer`` weighs each row by its words."""
    return {name: _mean(*_weighed(rows, name)) for name in FIGURES}


def _weighed(rows: Sequence[PairMetrics], name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A figure of each row and its weight, which is 0 where there is none; ``(rows,)`` each."""
    values = [getattr(row, name) for row in rows]
    weights = [
        0 if value is None else (row.words or 0) if name == "wer" else 1
        for row, value in zip(rows, values, strict=True)
    ]
    return np.array([value or 0 for value in values], np.float64), np.array(weights, np.float64)


def _mean(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float | None:
    return float(values @ weights / weights.sum()) if weights.sum() else None


def intervals(
    rows: Sequence[PairMetrics], columns: Sequence[str], *, seed: int = 0, confidence: float = 0.95
) -> Intervals:
    """How far the means would move with other targets: a bootstrap over target speakers, as all intervals are.

    Pairs are drawn where there are under five targets.

    Args:
        rows: one per pair.
        columns: figures whose mean is wanted.
        seed: of the draw.
        confidence: share of resamples inside an interval.
    """
    draws = resampling([row.target for row in rows], seed=seed)
    if draws.unit is None:
        return Intervals(None, draws.units, confidence)
    bounds = {}
    for name in columns:
        values, weights = _weighed(rows, name)
        point = _mean(values, weights)
        # Draws without a pair that has this figure are left out.
        some = draws.weights @ np.bincount(draws.group, weights=weights, minlength=draws.units) > 0
        drawn = draws.share(values * weights, weights)[some]
        if point is not None and len(drawn):
            bounds[name] = interval(point, drawn, confidence=confidence, lowest=-np.inf, highest=np.inf)
    return Intervals(draws.unit, draws.units, confidence, bounds)
