"""How much of the phones a system's codes hold: the paper's phoneme accuracy and what the field measures beside it.

>>> from vqspeech.evaluation import phonemes
>>> result = phonemes.evaluate([[3, 3, 5, 5]], [["sil", "sil", "ah", "t"]])
>>> result.scores.phone_purity
0.75
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from vqspeech.errors import InputError
from vqspeech.evaluation.frames import Frames, frames
from vqspeech.evaluation.phonemes import contingency
from vqspeech.evaluation.phonemes.baselines import silent_baselines
from vqspeech.evaluation.phonemes.intervals import intervals
from vqspeech.evaluation.phonemes.recognition import phone_purities
from vqspeech.evaluation.phonemes.results import PhonemeResult
from vqspeech.evaluation.phonemes.scoring import learnt_map, predict_phones, score, without_silence
from vqspeech.evaluation.phonemes.tables import (
    code_table,
    per_class,
    per_phone,
    phone_frames,
    run_lengths,
    usage_over_time,
)

__all__ = ["evaluate", "evaluate_frames", "same_labels", "score"]


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
        boundaries: times of the phones' boundaries in seconds, one array per utterance.
        speakers: the speaker of each utterance, for the intervals.
        codebook_size: number of codes; one more than the highest when absent.
        frame_period: seconds from one code to the next.
        offset: seconds to the centre of the first frame; half the period when absent.

    Raises:
        InputError: the lists do not fit each other.
    """
    if (train_codes is None) != (train_phones is None):
        raise InputError("a training part needs both codes and phones", hint="give both, or neither")
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
    baselines: bool = True,
    seed: int = 0,
) -> PhonemeResult:
    """As :func:`evaluate`, of frames already paired.

    Args:
        test: the frames to score.
        train: the frames to learn the map on.
        baselines: add the baselines that need no audio.
        seed: of the bootstrap and the random baseline.
    """
    test, train = same_labels(test, train)
    predicted = predict_phones(test, train)
    nonsilent, nonsilent_train = predicted.nonsilent, None if train is None else without_silence(train)
    without = None
    if len(nonsilent) and (nonsilent_train is None or len(nonsilent_train)):
        without = score(nonsilent, nonsilent_train)
    pairs, phones = predicted.table, len(test.labels)
    confusion = contingency.table(test.phones, predicted.phones, shape=(phones, phones))
    run_frames, runs_of_code = run_lengths(test)
    result = PhonemeResult(
        scores=predicted.scores(),
        without_silence=without,
        mapping=predicted.mapping,
        intervals=intervals(
            test,
            correct=predicted.correct,
            nonsilent=nonsilent,
            correct_nonsilent=predicted.correct_nonsilent,
            boundaries=predicted.boundaries,
            errors=predicted.errors,
            seed=seed,
        ),
        labels=test.labels,
        confusion=confusion,
        table=pairs,
        per_phone=per_phone(confusion, test.labels),
        per_class=per_class(confusion, test.labels),
        purity=phone_purities(pairs, test.labels),
        code_to_phone=code_table(pairs, learnt_map(train if train is not None else test), runs_of_code, test.labels),
        run_lengths=np.bincount(run_frames)[1:] if run_frames.size else np.zeros(0, np.int64),
        phone_frames=phone_frames(test),
        usage=usage_over_time(test),
    )
    if baselines:
        for name, (baseline, baseline_train) in silent_baselines(test, train, seed=seed).items():
            result.baselines[name] = score(baseline, baseline_train)
    return result
