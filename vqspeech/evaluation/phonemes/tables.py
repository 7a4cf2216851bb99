"""Tables of a phoneme evaluation: by phone, by class of phones, by code, by length, by time."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vqspeech.alignment import PHONE_CLASSES, phone_class
from vqspeech.codes import entropy, perplexity, runs
from vqspeech.evaluation.frames import Frames
from vqspeech.evaluation.phonemes.results import CodeScores, PhoneScores

Counts = NDArray[np.int64]


def _one_phone(name: str, hits: int, frames: int, called: int) -> PhoneScores:
    recall, precision = hits / frames if frames else 0.0, hits / called if called else 0.0
    f1 = 2 * hits / (frames + called) if hits else 0.0
    return PhoneScores(name, frames, recall, precision, f1)


def per_phone(confusion: Counts, labels: tuple[str, ...]) -> tuple[PhoneScores, ...]:
    """Recall and precision of each phone; ``confusion`` has one row per phone and one column per predicted phone."""
    hits, true, called = confusion.diagonal().tolist(), confusion.sum(1).tolist(), confusion.sum(0).tolist()
    return tuple(_one_phone(name, hits[i], true[i], called[i]) for i, name in enumerate(labels))


def per_class(confusion: Counts, labels: tuple[str, ...]) -> tuple[PhoneScores, ...]:
    """A frame is right when it was called any phone of its class."""
    rows = []
    for name in (*PHONE_CLASSES, "other"):
        member = np.array([phone_class(label) == name for label in labels])
        if member.any() and confusion[member].sum():
            hits = int(confusion[np.ix_(member, member)].sum())
            rows.append(_one_phone(name, hits, int(confusion[member].sum()), int(confusion[:, member].sum())))
    return tuple(rows)


def run_lengths(part: Frames) -> tuple[Counts, dict[int, float]]:
    """Lengths of all runs, and the mean length of each code's."""
    found = [runs(codes) for codes in part.sequences()]
    values, lengths = np.concatenate([row[0] for row in found]), np.concatenate([row[2] for row in found])
    totals = np.bincount(values, weights=lengths, minlength=part.codebook_size)
    times = np.bincount(values, minlength=part.codebook_size)
    return lengths, {int(code): float(totals[code] / times[code]) for code in np.flatnonzero(times)}


def phone_frames(part: Frames) -> Counts:
    """Number of phones of 1, 2, 3 … frames, shape ``(longest,)``."""
    lengths = np.concatenate([runs(row)[2] for row in np.split(part.phones, part.bounds[1:-1])])
    return np.bincount(lengths)[1:]


def code_table(
    pairs: Counts, mapping: NDArray[np.int32], mean_run: dict[int, float], labels: tuple[str, ...]
) -> tuple[CodeScores, ...]:
    """The codes that occur.

    Args:
        pairs: frames by code and phone, of the scored part.
        mapping: the phone of each code.
        mean_run: mean length of each code's runs, of the codes that occur.
        labels: the phones.
    """
    return tuple(
        CodeScores(
            code=code,
            frames=int(pairs[code].sum()),
            phone=labels[mapping[code]],
            share=float(pairs[code, mapping[code]] / pairs[code].sum()),
            entropy=entropy(pairs[code]),
            mean_run=mean_run[code],
        )
        for code in mean_run
    )


def usage_over_time(part: Frames, points: int = 200) -> tuple[tuple[int, int, float], ...]:
    """Frames seen, codes that have occurred in them, and their perplexity."""
    ends = np.unique(np.linspace(0, len(part), points + 1).astype(int))
    counts = np.zeros(part.codebook_size, np.int64)
    rows = []
    for start, end in pairwise(ends):
        counts += np.bincount(part.codes[start:end], minlength=part.codebook_size)
        rows.append((int(end), int(np.count_nonzero(counts)), perplexity(counts)))
    return tuple(rows)
