"""Held-out mapping from codes to phones, and the scores of frames under it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vqspeech.alignment import SILENCE
from vqspeech.codes import bitrate, perplexity
from vqspeech.evaluation import segmentation
from vqspeech.evaluation.frames import Frames
from vqspeech.evaluation.phonemes import contingency
from vqspeech.evaluation.phonemes.recognition import PhoneErrors, one_to_one_map, phone_errors, predict_one_to_one
from vqspeech.evaluation.phonemes.results import Mapping, Scores
from vqspeech.evaluation.segmentation import BoundaryCounts

Ints = NDArray[np.int32]


@dataclass(frozen=True)
class Predicted:
    """Frames with their predicted phones, and what scores and intervals are computed from.

    Attributes:
        frames: the scored part.
        phones: predicted phone of each frame, ``(frames,)``.
        mapping: what the map from codes to phones was learnt on.
        nonsilent: the frames whose phone is not silence.
        correct_nonsilent: whether each of these is predicted right, by a map learnt without silence.
        table: how often each code is each phone, ``(codes, phones)``.
        boundaries: counts of each utterance; None where the phones' boundaries are not known.
        one_to_one: predicted phone of each frame under the one-to-one map, ``(frames,)``.
        errors: edits of each utterance's mapped codes to its phones, under the map of ``phones``; None where frames
            were left out.
    """

    frames: Frames
    phones: Ints
    mapping: Mapping
    nonsilent: Frames
    correct_nonsilent: NDArray[np.bool_]
    table: NDArray[np.int64]
    boundaries: list[BoundaryCounts] | None
    one_to_one: Ints
    errors: PhoneErrors | None

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether each frame is predicted right, ``(frames,)``."""
        return np.asarray(self.phones == self.frames.phones)

    def scores(self) -> Scores:
        """All figures."""
        part, pairs = self.frames, self.table
        sequences = part.sequences()
        own_map, own_assignment = _most_frequent(pairs)[part.codes], one_to_one_map(pairs)[part.codes]
        purity = float(contingency.phone_purity(pairs))
        return Scores(
            accuracy=float(self.correct.mean()),
            accuracy_same_part=purity,
            accuracy_without_silence=float(self.correct_nonsilent.mean()) if len(self.nonsilent) else 0.0,
            phone_purity=purity,
            cluster_purity=float(contingency.cluster_purity(pairs)),
            pnmi=float(contingency.pnmi(pairs)),
            nmi=float(contingency.nmi(pairs)),
            ami=contingency.ami(pairs),
            v_measure=float(contingency.v_measure(pairs)),
            homogeneity=float(contingency.homogeneity(pairs)),
            completeness=float(contingency.completeness(pairs)),
            bitrate=bitrate(sequences, part.frame_period),
            bitrate_runs=bitrate(sequences, part.frame_period, collapse_runs=True),
            perplexity=perplexity(pairs.sum(1)),
            used_codes=int((pairs.sum(1) > 0).sum()),
            frames=len(part),
            boundary=None if self.boundaries is None else segmentation.scores(sum(self.boundaries, BoundaryCounts())),
            accuracy_one_to_one=float((self.one_to_one == part.phones).mean()),
            accuracy_one_to_one_same_part=float((own_assignment == part.phones).mean()),
            per=_rate(self.errors),
            per_same_part=_rate(phone_errors(part, own_map)),
            per_without_silence=_rate(phone_errors(part, self.phones, silence=False)),
            per_one_to_one=_rate(phone_errors(part, self.one_to_one)),
            per_one_to_one_same_part=_rate(phone_errors(part, own_assignment)),
        )


def _rate(errors: PhoneErrors | None) -> float | None:
    return None if errors is None else errors.rate


def predict_phones(test: Frames, train: Frames | None = None) -> Predicted:
    """Predict the phones of ``test`` by a map learnt on ``train``; both parts with one list of phones."""
    phones, mapping = predict(test, train)
    nonsilent = without_silence(test)
    correct = np.zeros(0, bool)
    if len(nonsilent):
        known = None if train is None else without_silence(train)
        correct = np.asarray(predict(nonsilent, known)[0] == nonsilent.phones)
    return Predicted(
        frames=test,
        phones=phones,
        mapping=mapping,
        nonsilent=nonsilent,
        correct_nonsilent=correct,
        table=contingency.table(test.codes, test.phones, shape=(test.codebook_size, len(test.labels))),
        boundaries=boundary_counts(test),
        one_to_one=predict_one_to_one(test, train),
        errors=phone_errors(test, phones),
    )


def score(test: Frames, train: Frames | None = None) -> Scores:
    """The figures alone of ``test``, the map learnt on ``train``; both parts with one list of phones."""
    return predict_phones(test, train).scores()


def without_silence(part: Frames) -> Frames:
    """The frames whose phone is not silence."""
    return part.keep(part.phones != _silence(part))


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


def predict(test: Frames, train: Frames | None) -> tuple[Ints, Mapping]:
    """The phone predicted of each frame of ``test``, shape ``(frames,)``, and what the map was learnt on.

    With ``train`` the map is learnt there. Without, each utterance is predicted by the map of all the others, so that
    no frame takes part in its own map; a single utterance can only be predicted by its own.
    """
    if train is not None:
        return learnt_map(train)[test.codes], "learnt on the training part"
    if np.count_nonzero(np.diff(test.bounds)) < 2:
        return learnt_map(test)[test.codes], "learnt on the same utterance"
    shape = (test.codebook_size, len(test.labels))
    total = contingency.table(test.codes, test.phones, shape=shape)
    all_phones = total.sum(0)
    predicted = np.empty(len(test), np.int32)
    for start, end in pairwise(test.bounds):
        if start == end:
            continue
        codes, rows = np.unique(test.codes[start:end], return_inverse=True)
        own = contingency.table(rows, test.phones[start:end], shape=(len(codes), shape[1]))
        others = all_phones - own.sum(0)
        # The tie rule of _most_frequent, over the other utterances.
        predicted[start:end] = (total[codes] - own + others / (others.sum() + 1.0)).argmax(1)[rows]
    return predicted, "learnt on all other utterances"


def _silence(part: Frames) -> int:
    return part.labels.index(SILENCE) if SILENCE in part.labels else -1


def boundary_counts(part: Frames) -> list[BoundaryCounts] | None:
    """Ends of runs against ends of phones, of each utterance; None where the latter are not known."""
    if part.boundaries is None:
        return None
    return [
        segmentation.count_hits(
            reference, segmentation.run_boundaries(codes, frame_period=part.frame_period, offset=part.offset)
        )
        for reference, codes in zip(part.boundaries, part.sequences(), strict=True)
    ]
