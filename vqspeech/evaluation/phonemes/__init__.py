"""How much of the phones a system's codes hold: the paper's phoneme accuracy and what the field measures beside it.

>>> from vqspeech.evaluation import phonemes
>>> result = phonemes.evaluate([[3, 3, 5, 5]], [["sil", "sil", "ah", "t"]])
>>> result.scores.phone_purity
0.75
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vqspeech.alignment import SILENCE
from vqspeech.codes import bitrate, perplexity
from vqspeech.errors import InputError
from vqspeech.evaluation import segmentation
from vqspeech.evaluation.frames import Frames, frames
from vqspeech.evaluation.phonemes import contingency
from vqspeech.evaluation.phonemes.baselines import silent_floors
from vqspeech.evaluation.phonemes.intervals import intervals
from vqspeech.evaluation.phonemes.results import Mapping, PhonemeResult, Scores
from vqspeech.evaluation.phonemes.tables import (
    code_table,
    per_class,
    per_phone,
    phone_frames,
    run_lengths,
    usage_over_time,
)
from vqspeech.evaluation.segmentation import BoundaryCounts

Ints = NDArray[np.int32]


def evaluate(
    codes: Sequence[ArrayLike],
    phones: Sequence[Sequence[str]],
    *,
    train_codes: Sequence[ArrayLike] | None = None,
    train_phones: Sequence[Sequence[str]] | None = None,
    boundaries: Sequence[ArrayLike] | None = None,
    speakers: Sequence[str] | None = None,
    codebook_size: int | None = None,
    frame_period: float = 0.01,
    offset: float | None = None,
) -> PhonemeResult:
    """Score codes against the phones of the same frames.

    Args:
        codes: an integer array of shape ``(frames,)`` an utterance.
        phones: the phone of each of those frames.
        train_codes: the part the map from codes to phones is learnt on. Without it, each utterance's map is learnt
            on all the others.
        train_phones: its phones.
        boundaries: times of the phones' boundaries in seconds, an array an utterance.
        speakers: the speaker of each utterance, for the intervals.
        codebook_size: number of codes; one more than the highest when absent.
        frame_period: seconds from one code to the next.
        offset: seconds to the centre of the first frame; half the period when absent.

    Raises:
        InputError: the lists do not fit each other.
    """
    if (train_codes is None) != (train_phones is None):
        raise InputError("a training part needs both codes and phones")
    test = frames(
        codes,
        phones,
        codebook_size=codebook_size,
        speakers=speakers,
        boundaries=boundaries,
        frame_period=frame_period,
        offset=offset,
    )
    train = None
    if train_codes is not None and train_phones is not None:
        train = frames(train_codes, train_phones, codebook_size=codebook_size)
    return evaluate_frames(test, train)


def same_labels(test: Frames, train: Frames | None) -> tuple[Frames, Frames | None]:
    """Both parts with one codebook and one list of phones."""
    if train is None:
        return test, None
    labels = tuple(sorted(set(test.labels) | set(train.labels)))
    size = max(test.codebook_size, train.codebook_size)
    test, train = test.relabelled(labels), train.relabelled(labels)
    return test.with_codes(test.codes, codebook_size=size), train.with_codes(train.codes, codebook_size=size)


def evaluate_frames(
    test: Frames,
    train: Frames | None = None,
    *,
    floors: bool = True,
    seed: int = 0,
) -> PhonemeResult:
    """As :func:`evaluate`, of frames already paired.

    Args:
        test: the frames to score.
        train: the frames to learn the map on.
        floors: add the floors that need no audio.
        seed: of the bootstrap and the random floor.
    """
    test, train = same_labels(test, train)
    called, mapping = predictions(test, train)
    correct = called == test.phones
    loud = test.phones != _silence(test)
    quiet_free, quiet_free_train = (
        test.keep(loud),
        None if train is None else train.keep(train.phones != _silence(train)),
    )
    counts = _boundary_counts(test)
    scores = score(test, train)
    without = None
    correct_loud = np.zeros(0, bool)
    if len(quiet_free) and (quiet_free_train is None or len(quiet_free_train)):
        without = score(quiet_free, quiet_free_train)
        correct_loud = predictions(quiet_free, quiet_free_train)[0] == quiet_free.phones
    shape = (test.codebook_size, len(test.labels))
    confusion = contingency.table(test.phones, called, shape=(shape[1], shape[1]))
    pairs = contingency.table(test.codes, test.phones, shape=shape)
    run_frames, runs_of_code = run_lengths(test)
    result = PhonemeResult(
        scores=scores,
        without_silence=without,
        mapping=mapping,
        intervals=intervals(
            test, correct=correct, quiet_free=quiet_free, correct_loud=correct_loud, boundaries=counts, seed=seed
        ),
        labels=test.labels,
        confusion=confusion,
        table=pairs,
        per_phone=per_phone(confusion, test.labels),
        per_class=per_class(confusion, test.labels),
        code_to_phone=code_table(pairs, learnt_map(train if train is not None else test), runs_of_code, test.labels),
        run_lengths=np.bincount(run_frames)[1:] if run_frames.size else np.zeros(0, np.int64),
        phone_frames=phone_frames(test),
        usage=usage_over_time(test),
    )
    if floors:
        for name, (floor, floor_train) in silent_floors(test, train, seed=seed).items():
            result.floors[name] = score(floor, floor_train)
    return result


def score(test: Frames, train: Frames | None = None) -> Scores:
    """The figures alone of ``test``, the map learnt on ``train``; both parts with one list of phones."""
    called, _ = predictions(test, train)
    loud, loud_train = test.keep(test.phones != _silence(test)), train
    if train is not None:
        loud_train = train.keep(train.phones != _silence(train))
    without = 0.0
    if len(loud):
        without = float((predictions(loud, loud_train)[0] == loud.phones).mean())
    pairs = contingency.table(test.codes, test.phones, shape=(test.codebook_size, len(test.labels)))
    counts = _boundary_counts(test)
    sequences = test.sequences()
    purity = float(contingency.phone_purity(pairs))
    return Scores(
        accuracy=float((called == test.phones).mean()),
        accuracy_same_part=purity,
        accuracy_without_silence=without,
        phone_purity=purity,
        cluster_purity=float(contingency.cluster_purity(pairs)),
        pnmi=float(contingency.pnmi(pairs)),
        nmi=float(contingency.nmi(pairs)),
        ami=contingency.ami(pairs),
        v_measure=float(contingency.v_measure(pairs)),
        homogeneity=float(contingency.homogeneity(pairs)),
        completeness=float(contingency.completeness(pairs)),
        bitrate=bitrate(sequences, test.frame_period),
        bitrate_runs=bitrate(sequences, test.frame_period, collapse_runs=True),
        perplexity=perplexity(pairs.sum(1)),
        used_codes=int((pairs.sum(1) > 0).sum()),
        frames=len(test),
        boundary=None if counts is None else segmentation.scores(sum(counts, BoundaryCounts())),
    )


def learnt_map(part: Frames) -> Ints:
    """Each code's most frequent phone, shape ``(codebook_size,)``.

    A code that never occurs has the most frequent phone of all. Of phones equally frequent with a code, the one more
    frequent over all counts.
    """
    shape = (part.codebook_size, len(part.labels))
    return _most_frequent(contingency.table(part.codes, part.phones, shape=shape))


def _most_frequent(pairs: NDArray[np.int64]) -> Ints:
    totals = pairs.sum(0)
    # Ties go to the phone more frequent over all: the share of all frames is below 1, and counts are whole.
    weighted = pairs + totals / (totals.sum() + 1.0)
    return np.asarray(weighted.argmax(1), np.int32)


def predictions(test: Frames, train: Frames | None) -> tuple[Ints, Mapping]:
    """The phone that each frame of ``test`` is called, shape ``(frames,)``, and where the map for it was learnt.

    With ``train`` the map is learnt there. Without, each utterance is called by the map of all the others, so that
    no frame is scored by a map it had a part in; a single utterance can only be called by its own.
    """
    if train is not None:
        return learnt_map(train)[test.codes], "learnt on the training part"
    if np.count_nonzero(np.diff(test.bounds)) < 2:
        return learnt_map(test)[test.codes], "learnt on the same utterance"
    shape = (test.codebook_size, len(test.labels))
    total = contingency.table(test.codes, test.phones, shape=shape)
    all_phones = total.sum(0)
    called = np.empty(len(test), np.int32)
    for start, end in pairwise(test.bounds):
        if start == end:
            continue
        codes, rows = np.unique(test.codes[start:end], return_inverse=True)
        own = contingency.table(rows, test.phones[start:end], shape=(len(codes), shape[1]))
        others = all_phones - own.sum(0)
        # The tie rule of _most_frequent, over the other utterances.
        called[start:end] = (total[codes] - own + others / (others.sum() + 1.0)).argmax(1)[rows]
    return called, "learnt on all other utterances"


def _silence(part: Frames) -> int:
    return part.labels.index(SILENCE) if SILENCE in part.labels else -1


def _boundary_counts(part: Frames) -> list[BoundaryCounts] | None:
    if part.boundaries is None:
        return None
    return [
        segmentation.count_hits(
            reference, segmentation.run_boundaries(codes, frame_period=part.frame_period, offset=part.offset)
        )
        for reference, codes in zip(part.boundaries, part.sequences(), strict=True)
    ]
