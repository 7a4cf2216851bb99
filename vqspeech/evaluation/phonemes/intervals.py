"""Bootstrap intervals of the phoneme measures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vqspeech.evaluation.bootstrap import (
    CONFIDENCE,
    RESAMPLES,
    Intervals,
    Resampling,
    boundary_intervals,
    interval,
    resampling,
)
from vqspeech.evaluation.frames import Frames
from vqspeech.evaluation.phonemes import contingency
from vqspeech.evaluation.phonemes.recognition import PhoneErrors
from vqspeech.evaluation.segmentation import BoundaryCounts

#: Tables that are resampled at a time, for memory.
_CHUNK = 50


def intervals(
    test: Frames,
    *,
    correct: NDArray[np.bool_],
    nonsilent: Frames,
    correct_nonsilent: NDArray[np.bool_],
    boundaries: Sequence[BoundaryCounts] | None,
    errors: PhoneErrors | None,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
    seed: int = 0,
) -> Intervals:
    """Resample speakers (utterances where there are under five speakers) with replacement.

    Args:
        test: the frames.
        correct: whether each was predicted right, shape ``(frames,)``.
        nonsilent: those that are not silent.
        correct_nonsilent: whether each of those was predicted right.
        boundaries: counts of each utterance.
        errors: edits and phones of each utterance.
        resamples: how many.
        confidence: share of resamples inside the interval.
        seed: of the draw.
    """
    draws = resampling(test.speakers, resamples=resamples, seed=seed)
    if draws.unit is None:
        return Intervals(None, draws.units, confidence)
    samples = {"accuracy": draws.share(*_hits(test, correct))}
    points = {"accuracy": float(correct.mean())}
    if correct_nonsilent.size:
        samples["accuracy_without_silence"] = draws.share(*_hits(nonsilent, correct_nonsilent))
        points["accuracy_without_silence"] = float(correct_nonsilent.mean())
    _tables(test, draws, samples, points)
    bounds = {name: interval(points[name], drawn, confidence=confidence) for name, drawn in samples.items()}
    if errors is not None:
        drawn = draws.share(errors.errors, errors.phones)
        bounds["per"] = interval(errors.rate, drawn, confidence=confidence, highest=np.inf)
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
