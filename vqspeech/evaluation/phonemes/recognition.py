"""Units as a phone recogniser: phone error rate, one-to-one map, purity of each phone.

*Phone error rate*: each code becomes the phone it maps to, runs of one phone become one, and what comes out is compared
with the phones of the alignment: edit distance over the number of reference phones, pooled over utterances. This is the
definition of the DiscoPhon benchmark (Poli et al., "The Phoneme Discovery benchmark"; ``discophon.evaluate``), which
counts silence as a phone and learns and scores its map on one part: ``per_same_part``. ``per`` is the same under the
held-out map of the phoneme accuracy, and ``per_without_silence`` leaves silence out of both strings.

*Many-to-one* maps each code to its most frequent phone. *One-to-one* gives each phone at most one code and each code at
most one phone, so that most frames agree (a linear assignment problem): the stricter question whether codes *are*
phones. DiscoPhon asks it only of as many codes as phones; here a code without a phone counts as a symbol of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import NDArray

from vqspeech.alignment import SILENCE
from vqspeech.evaluation.edit_distance import edit_distance
from vqspeech.evaluation.frames import Frames
from vqspeech.evaluation.phonemes import contingency
from vqspeech.evaluation.phonemes.results import PhonePurity

Ints = NDArray[np.int32]

#: In place of a phone: the code has none.
NO_PHONE = -1


@dataclass(frozen=True, slots=True)
class PhoneErrors:
    """Edits and reference phones of each utterance, arrays of shape ``(utterances,)``."""

    errors: NDArray[np.int64]
    phones: NDArray[np.int64]

    @property
    def rate(self) -> float:
        """Phone error rate; above 1 where more is inserted than is right."""
        return float(self.errors.sum() / max(int(self.phones.sum()), 1))


def one_to_one_map(pairs: NDArray[np.int64]) -> Ints:
    """The phone of each code where each phone has at most one code, shape ``(codes,)``; ``NO_PHONE`` without one.

    Args:
        pairs: how often each code is each phone, shape ``(codes, phones)``.
    """
    from scipy.optimize import linear_sum_assignment

    phone_of = np.full(len(pairs), NO_PHONE, np.int32)
    used = np.flatnonzero(pairs.sum(1))
    rows, columns = linear_sum_assignment(pairs[used], maximize=True)
    # What never occurs together is assigned to fill the matrix up, and means nothing.
    together = pairs[used[rows], columns] > 0
    phone_of[used[rows[together]]] = columns[together]
    return phone_of


def predict_one_to_one(test: Frames, train: Frames | None) -> Ints:
    """The phone predicted of each frame of ``test``, shape ``(frames,)``, under the one-to-one map.

    Held out as in ``scoring.predict``: learnt on ``train``, or for each utterance on all others.
    """
    shape = (test.codebook_size, len(test.labels))
    known = test if train is None else train
    total = contingency.table(known.codes, known.phones, shape=shape)
    if train is not None or np.count_nonzero(np.diff(test.bounds)) < 2:
        return one_to_one_map(total)[test.codes]
    predicted = np.empty(len(test), np.int32)
    for start, end in pairwise(test.bounds):
        own = contingency.table(test.codes[start:end], test.phones[start:end], shape=shape)
        predicted[start:end] = one_to_one_map(total - own)[test.codes[start:end]]
    return predicted


def phone_errors(part: Frames, predicted: Ints, *, silence: bool = True) -> PhoneErrors | None:
    """Compare the run-collapsed predictions of each utterance with its phones.

    Args:
        part: the frames and the phone strings of their utterances.
        predicted: phone of each frame, shape ``(frames,)``, indices into ``part.labels`` or ``NO_PHONE``.
        silence: count silence as a phone, as DiscoPhon does; else leave it out of both strings.

    Returns:
        None where the phone strings are not known.
    """
    if part.strings is None:
        return None
    left_out = None if silence else SILENCE
    errors, phones = [], []
    for row, reference in zip(np.split(predicted, part.bounds[1:-1]), part.strings, strict=True):
        ours = [part.labels[index] if index != NO_PHONE else "" for index, _ in groupby(row.tolist())]
        ours, theirs = ([name for name in string if name != left_out] for string in (ours, reference))
        errors.append(edit_distance(theirs, ours))
        phones.append(len(theirs))
    return PhoneErrors(np.array(errors, np.int64), np.array(phones, np.int64))


def phone_purities(pairs: NDArray[np.int64], labels: tuple[str, ...]) -> tuple[PhonePurity, ...]:
    """The terms of phone and cluster purity, a phone each, with map and scores on one part.

    Args:
        pairs: how often each code is each phone, shape ``(codes, phones)``.
        labels: the phones.
    """
    phone_of = pairs.argmax(1)
    rows = []
    for index, name in enumerate(labels):
        codes = (phone_of == index) & (pairs.sum(1) > 0)
        covered, frames = int(pairs[codes].sum()), int(pairs[:, index].sum())
        rows.append(
            PhonePurity(
                name=name,
                frames=frames,
                codes=int(codes.sum()),
                phone_purity=float(pairs[codes, index].sum() / covered) if covered else 0.0,
                cluster_purity=float(pairs[:, index].max() / frames) if frames else 0.0,
                code=int(pairs[:, index].argmax()),
            )
        )
    return tuple(rows)
