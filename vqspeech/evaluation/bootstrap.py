"""How far a figure would move with other speakers: bootstrap intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vqspeech.evaluation import contingency
from vqspeech.evaluation.frames import Frames
from vqspeech.evaluation.segmentation import BoundaryCounts, scores

#: With fewer speakers than this, their resampling says little, and utterances are resampled.
FEWEST_SPEAKERS = 5
RESAMPLES = 1000
#: Tables that are resampled at a time, for memory.
_CHUNK = 50
#: Figures that may be below 0.
_UNBOUNDED = ("boundary.over_segmentation", "boundary.r_value")


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
    confidence: float = 0.95
    bounds: dict[str, tuple[float, float]] = field(default_factory=dict)


def intervals(
    test: Frames,
    *,
    correct: NDArray[np.bool_],
    quiet_free: Frames,
    correct_loud: NDArray[np.bool_],
    boundaries: Sequence[BoundaryCounts] | None,
    resamples: int = RESAMPLES,
    confidence: float = 0.95,
    seed: int = 0,
) -> Intervals:
    """Resample speakers (utterances where there are under five speakers) with replacement.

    The interval is that of the resamples about their median, moved to the figure itself: information measures rise
    when units repeat, so that their resamples lie above the figure.

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
    names, group = np.unique(np.array(test.speakers), return_inverse=True)
    unit: Literal["speakers", "utterances"] = "speakers"
    if len(names) < FEWEST_SPEAKERS:
        unit, group = "utterances", np.arange(len(test.utterances))
    units = int(group.max()) + 1
    if units < 2:
        return Intervals(None, units, confidence)
    weights = np.random.default_rng(seed).multinomial(units, np.full(units, 1 / units), size=resamples)
    sums = _sums(test, correct, group, units)
    samples: dict[str, NDArray[np.float64]] = {"accuracy": _share(weights, *sums)}
    points: dict[str, float] = {"accuracy": float(correct.mean())}
    if correct_loud.size:
        samples["accuracy_without_silence"] = _share(weights, *_sums(quiet_free, correct_loud, group, units))
        points["accuracy_without_silence"] = float(correct_loud.mean())
    _tables(test, group, weights, samples, points)
    if boundaries is not None:
        _boundary(boundaries, group, weights, samples, points)
    tail = (1 - confidence) / 2
    bounds = {}
    for name, values in samples.items():
        low, middle, high = np.quantile(values, [tail, 0.5, 1 - tail])
        lowest = -np.inf if name in _UNBOUNDED else 0.0
        highest = np.inf if name == "boundary.over_segmentation" else 1.0
        moved = np.clip([points[name] + low - middle, points[name] + high - middle], lowest, highest)
        bounds[name] = (float(moved[0]), float(moved[1]))
    return Intervals(unit, units, confidence, bounds)


def _sums(
    part: Frames, correct: NDArray[np.bool_], group: NDArray[np.int64], units: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    of_frame = group[part.utterance_of_frame()]
    hits = np.bincount(of_frame, weights=correct, minlength=units)
    return hits.astype(np.float64), np.bincount(of_frame, minlength=units).astype(np.float64)


def _share(weights: NDArray[np.int64], hits: NDArray[np.float64], frames: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((weights @ hits) / np.maximum(weights @ frames, 1.0), np.float64)


def _tables(
    test: Frames,
    group: NDArray[np.int64],
    weights: NDArray[np.int64],
    samples: dict[str, NDArray[np.float64]],
    points: dict[str, float],
) -> None:
    from scipy.sparse import csr_array

    shape = (test.codebook_size, len(test.labels))
    pairs = test.codes.astype(np.int64) * shape[1] + test.phones
    # Only pairs that occur: a large codebook with many speakers has few of them.
    used, column = np.unique(pairs, return_inverse=True)
    rows = group[test.utterance_of_frame()]
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


def _boundary(
    counts: Sequence[BoundaryCounts],
    group: NDArray[np.int64],
    weights: NDArray[np.int64],
    samples: dict[str, NDArray[np.float64]],
    points: dict[str, float],
) -> None:
    table = np.array([[row.reference, row.proposed, row.hits] for row in counts], np.int64)
    by_unit = np.zeros((weights.shape[1], 3), np.int64)
    np.add.at(by_unit, group, table)
    drawn = [scores(BoundaryCounts(*row)) for row in (weights @ by_unit).tolist()]
    whole = scores(BoundaryCounts(*table.sum(0).tolist()))
    for name in ("precision", "recall", "f1", "over_segmentation", "r_value"):
        samples[f"boundary.{name}"] = np.array([getattr(row, name) for row in drawn])
        points[f"boundary.{name}"] = getattr(whole, name)
