"""How far a figure would move with other speakers: bootstrap intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vqspeech.evaluation.segmentation import BoundaryCounts, scores

#: With fewer speakers than this, their resampling means little, and utterances are resampled.
FEWEST_SPEAKERS = 5
RESAMPLES = 1000
#: Share of draws inside an interval.
CONFIDENCE = 0.95
#: What the segmentation scores can be.
_BOUNDARY_RANGES = {
    "precision": (0.0, 1.0),
    "recall": (0.0, 1.0),
    "f1": (0.0, 1.0),
    "over_segmentation": (-1.0, np.inf),
    "r_value": (-np.inf, 1.0),
}


@dataclass(frozen=True, slots=True)
class Intervals:
    """Intervals that hold a figure with the given confidence.

    Attributes:
        unit: what was drawn with replacement; None where there was one alone and nothing could be drawn.
        units: how many there are.
        confidence: share of resamples inside the interval.
        bounds: name of a figure -> its lower and upper bound.
    """

    unit: Literal["speakers", "utterances"] | None
    units: int
    confidence: float = CONFIDENCE
    bounds: dict[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Resampling:
    """Draws of speakers, or of utterances, with replacement.

    Attributes:
        unit: what is drawn; None where there is one alone and nothing can be drawn.
        units: how many there are.
        group: the unit of each utterance, shape ``(utterances,)``.
        weights: how often each draw holds each unit, shape ``(draws, units)``.
    """

    unit: Literal["speakers", "utterances"] | None
    units: int
    group: NDArray[np.int64]
    weights: NDArray[np.int64]

    def share(self, hits: ArrayLike, counts: ArrayLike) -> NDArray[np.float64]:
        """Summed hits over summed counts of each draw, shape ``(draws,)``; both are of the utterances."""
        above, below = (
            np.bincount(self.group, weights=of, minlength=self.units).astype(np.float64) for of in (hits, counts)
        )
        return _share(self.weights, above, below)


def resampling(speakers: Sequence[str], *, resamples: int = RESAMPLES, seed: int = 0) -> Resampling:
    """Draw speakers with replacement, or utterances where there are under five speakers.

    Args:
        speakers: who spoke each utterance.
        resamples: how many draws.
        seed: of the draws.
    """
    names, group = np.unique(np.array(speakers, str), return_inverse=True)
    unit: Literal["speakers", "utterances"] | None = "speakers"
    if len(names) < FEWEST_SPEAKERS:
        unit, group = "utterances", np.arange(len(speakers))
    units = int(group.max(initial=-1)) + 1
    if units < 2:
        return Resampling(None, units, group, np.zeros((0, units), np.int64))
    weights = np.random.default_rng(seed).multinomial(units, np.full(units, 1 / units), size=resamples)
    return Resampling(unit, units, group, weights)


def interval(
    point: float,
    drawn: NDArray[np.float64],
    *,
    confidence: float = CONFIDENCE,
    lowest: float = 0.0,
    highest: float = 1.0,
) -> tuple[float, float]:
    """The interval of the draws about their median, moved to the figure itself and kept in its range.

    Information measures rise when units repeat, so that their draws lie above the figure.

    Args:
        point: the figure.
        drawn: its value in each draw, shape ``(draws,)``.
        confidence: share of draws inside.
        lowest: value the figure can have.
        highest: value the figure can have.
    """
    tail = (1 - confidence) / 2
    low, middle, high = np.quantile(drawn, [tail, 0.5, 1 - tail])
    moved = np.clip([point + low - middle, point + high - middle], lowest, highest)
    return float(moved[0]), float(moved[1])


def boundary_intervals(
    counts: Sequence[BoundaryCounts], draws: Resampling, *, confidence: float = CONFIDENCE
) -> dict[str, tuple[float, float]]:
    """Intervals of the segmentation scores, by name; empty where nothing can be drawn.

    Args:
        counts: of each utterance.
        draws: of the same utterances.
        confidence: share of draws inside.
    """
    if draws.unit is None:
        return {}
    table = np.array([[row.reference, row.proposed, row.hits] for row in counts], np.int64)
    by_unit = np.zeros((draws.units, 3), np.int64)
    np.add.at(by_unit, draws.group, table)
    drawn = [scores(BoundaryCounts(*row)) for row in (draws.weights @ by_unit).tolist()]
    whole = scores(BoundaryCounts(*table.sum(0).tolist()))
    bounds = {}
    for name, (lowest, highest) in _BOUNDARY_RANGES.items():
        values = np.array([getattr(row, name) for row in drawn])
        bounds[name] = interval(getattr(whole, name), values, confidence=confidence, lowest=lowest, highest=highest)
    return bounds


def _share(weights: NDArray[np.int64], hits: NDArray[np.float64], frames: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((weights @ hits) / np.maximum(weights @ frames, 1.0), np.float64)
