"""How far a figure would move with other speakers: bootstrap intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vqspeech.evaluation import contingency
from vqspeech.evaluation.frames import Frames
from vqspeech.evaluation.segmentation import BoundaryCounts, scores

#: With fewer speakers than this, their resampling says little, and utterances are resampled.
FEWEST_SPEAKERS = 5
RESAMPLES = 1000
#: Share of draws inside an interval.
CONFIDENCE = 0.95
#: Tables that are resampled at a time, for memory.
_CHUNK = 50
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


def intervals(
    test: Frames,
    *,
    correct: NDArray[np.bool_],
    quiet_free: Frames,
    correct_loud: NDArray[np.bool_],
    boundaries: Sequence[BoundaryCounts] | None,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
    seed: int = 0,
) -> Intervals:
    """Resample speakers (utterances where there are under five speakers) with replacement.

    Args:
        test: the frames.
        correct: whether each was called its phone, shape ``(frames,)``.
        quiet_free: those that are not silent.
        correct_loud: whether each of those was called its phone.
        boundaries: counts of each utterance.
        resamples: how many.
        confidence: share of resamples inside the interval.
        seed: of the draw.
    """
    draws = resampling(test.speakers, resamples=resamples, seed=seed)
    if draws.unit is None:
        return Intervals(None, draws.units, confidence)
    samples = {"accuracy": draws.share(*_hits(test, correct))}
    points = {"accuracy": float(correct.mean())}
    if correct_loud.size:
        samples["accuracy_without_silence"] = draws.share(*_hits(quiet_free, correct_loud))
        points["accuracy_without_silence"] = float(correct_loud.mean())
    _tables(test, draws, samples, points)
    bounds = {name: interval(points[name], drawn, confidence=confidence) for name, drawn in samples.items()}
    if boundaries is not None:
        edges = boundary_intervals(boundaries, draws, confidence=confidence)
        bounds |= {f"boundary.{name}": edge for name, edge in edges.items()}
    return Intervals(draws.unit, draws.units, confidence, bounds)


def _hits(part: Frames, correct: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Right frames and all frames of each utterance."""
    utterance = part.utterance_of_frame()
    number = len(part.utterances)
    hits = np.bincount(utterance, weights=correct, minlength=number)
    return hits.astype(np.float64), np.bincount(utterance, minlength=number).astype(np.float64)


def _share(weights: NDArray[np.int64], hits: NDArray[np.float64], frames: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((weights @ hits) / np.maximum(weights @ frames, 1.0), np.float64)


def _tables(
    test: Frames,
    draws: Resampling,
    samples: dict[str, NDArray[np.float64]],
    points: dict[str, float],
) -> None:
    from scipy.sparse import csr_array

    weights = draws.weights
    shape = (test.codebook_size, len(test.labels))
    pairs = test.codes.astype(np.int64) * shape[1] + test.phones
    # Only pairs that occur: a large codebook with many speakers has few of them.
    used, column = np.unique(pairs, return_inverse=True)
    rows = draws.group[test.utterance_of_frame()]
    counts = csr_array((np.ones(len(test)), (rows, column)), shape=(weights.shape[1], len(used)))
    measures = {
        "accuracy_same_part": contingency.phone_purity,
        "phone_purity": contingency.phone_purity,
        "cluster_purity": contingency.cluster_purity,
        "pnmi": contingency.pnmi,
        "nmi": contingency.nmi,
        "v_measure": contingency.v_measure,
        "homogeneity": contingency.homogeneity,
        "completeness": contingency.completeness,
    }
    codes = np.unique(used // shape[1], return_inverse=True)[1]
    height = int(codes.max()) + 1
    place = codes * shape[1] + used % shape[1]

    def dense(flat: NDArray[np.float64]) -> NDArray[np.float64]:
        table = np.zeros((len(flat), height * shape[1]))
        table[:, place] = flat
        return table.reshape(len(flat), height, shape[1])

    drawn: dict[str, list[NDArray[np.float64]]] = {name: [] for name in measures}
    for first in range(0, len(weights), _CHUNK):
        tables = dense(np.asarray(weights[first : first + _CHUNK] @ counts))
        for name, measure in measures.items():
            drawn[name].append(measure(tables))
    whole = dense(np.asarray(counts.sum(0))[None])
    for name, measure in measures.items():
        samples[name] = np.concatenate(drawn[name])
        points[name] = float(measure(whole)[0])
