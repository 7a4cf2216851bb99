"""What a duration penalty trades: fewer, longer units for lower bitrate and boundaries nearer to phones.

The codes of a report are joined by duration-penalised dynamic programming over the distances of their codebook
(``vqspeech.codes.duration_penalty``) with rising penalties, and scored again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vqspeech.codes import bitrate, runs
from vqspeech.evaluation import segmentation
from vqspeech.evaluation.frames import Frames
from vqspeech.evaluation.phonemes.recognition import phone_errors
from vqspeech.evaluation.phonemes.results import TradePoint
from vqspeech.evaluation.phonemes.scoring import boundary_counts, predict

#: Penalties in units of the mean squared distance of two codes, see ``segmentation.join_sequences``.
PENALTIES = (0.0, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0)
#: Frames of each part that are joined at most; more would move the curve by less than its intervals.
MOST_FRAMES = 100_000


def trade(
    test: Frames,
    train: Frames | None,
    codebook: NDArray[np.float32] | None,
    *,
    penalties: Sequence[float] = PENALTIES,
) -> tuple[TradePoint, ...]:
    """Join and score with each penalty.

    Args:
        test: frames to score; of many, those of the first utterances.
        train: frames to learn the map on.
        codebook: vectors of the codes, shape ``(codes, dimensions)``; None takes all codes for equally far apart.
        penalties: in rising order.
    """
    test, train = _first(test), None if train is None else _first(train)
    vectors = np.eye(test.codebook_size) if codebook is None else codebook
    return tuple(
        _point(_joined(test, vectors, penalty), None if train is None else _joined(train, vectors, penalty), penalty)
        for penalty in penalties
    )


def _first(part: Frames) -> Frames:
    """The first utterances, as many as have at most ``MOST_FRAMES`` frames, and one at least."""
    count = max(1, int(np.searchsorted(part.bounds, MOST_FRAMES, side="right")) - 1)
    return part.first(count)


def _joined(part: Frames, vectors: NDArray[np.floating], penalty: float) -> Frames:
    if not penalty:
        return part
    return part.with_codes(np.concatenate(segmentation.join_sequences(part.sequences(), vectors, penalty=penalty)))


def _point(test: Frames, train: Frames | None, penalty: float) -> TradePoint:
    phones, _ = predict(test, train)
    errors, counts = phone_errors(test, phones), boundary_counts(test)
    edges = None if counts is None else segmentation.scores(sum(counts, segmentation.BoundaryCounts()))
    units = sum(len(runs(codes)[0]) for codes in test.sequences())
    return TradePoint(
        penalty=penalty,
        bitrate_runs=bitrate(test.sequences(), test.frame_period, collapse_runs=True),
        units_per_second=units / (len(test) * test.frame_period),
        accuracy=float((phones == test.phones).mean()),
        per=None if errors is None else errors.rate,
        f1=None if edges is None else edges.f1,
        r_value=None if edges is None else edges.r_value,
    )
