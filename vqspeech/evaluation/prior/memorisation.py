"""How near code sequences come to the training data; a prior that recites what it learnt gives itself away.

Two measures: the longest span that stands there code for code, and the edit distance to the nearest span.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int32]
Ints = NDArray[np.int64]
Progress = Callable[[int, int], None]

#: Places of the training data that each window is aligned with, the likeliest first.
CANDIDATES = 24
#: Share of a window's length by which a match may slide: what was put in or left out before it.
_SLACK = 0.1


@dataclass(frozen=True, slots=True)
class Neighbour:
    """The training data nearest to a sequence.

    Attributes:
        copied: codes of the longest span that is in the training data as it is.
        copied_from: utterance that holds it.
        distance: edit distance from the nearest span of training data to a window of the sequence, by the codes of
            the window; mean over its windows. 0 is a copy.
        nearest: the least of these.
        nearest_utterance: where that span is.
        nearest_at: its place there, in codes.
    """

    copied: int
    copied_from: str
    distance: float
    nearest: float
    nearest_utterance: str
    nearest_at: int


class Training:
    """Training codes made ready to be searched.

    Args:
        utterances: utterance -> its codes ``(frames,)``; at least one that is not empty.
        codebook_size: number of codes.
    """

    def __init__(self, utterances: Mapping[str, Codes], codebook_size: int) -> None:
        self._names = [name for name, codes in utterances.items() if len(codes)]
        lengths = np.array([len(utterances[name]) for name in self._names])
        # A code that is none stands behind every utterance, so that nothing goes over its end.
        self.codebook_size = codebook_size
        self.codes = np.concatenate([np.append(utterances[name], codebook_size) for name in self._names]).astype(
            np.int32
        )
        self._starts = np.concatenate(([0], np.cumsum(lengths + 1)))[:-1]
        order = np.argsort(self.codes, kind="stable")
        edges = np.searchsorted(self.codes[order], np.arange(codebook_size + 1))
        self._places = np.split(order, edges[1:])[:codebook_size]

    def place(self, index: int) -> tuple[str, int]:
        """Utterance, and code of it, of a place in ``codes``."""
        number = int(np.searchsorted(self._starts, index, side="right")) - 1
        return self._names[number], int(index - self._starts[number])

    def votes(self, window: Codes) -> NDArray[np.int32]:
        """How many codes of a window ``(width,)`` agree with the training codes, for every place it can be laid at.

        Returns:
            shape ``(places + width - 1,)``: entry ``i`` is for the window's first code at place ``i - width + 1``.
        """
        width = len(window)
        found = [self._places[code] + (width - 1 - index) for index, code in enumerate(window.tolist())]
        return np.bincount(np.concatenate(found), minlength=len(self.codes) + width - 1).astype(np.int32)


def nearest(
    sequences: Sequence[Codes], training: Training, *, width: int, progress: Progress | None = None
) -> list[Neighbour]:
    """The nearest training data of each sequence.

    Every sequence is cut into windows. Each is laid at every place of the training data; the places where most of
    its codes agree, those beside it counted in, are aligned with it.

    Args:
        sequences: arrays ``(frames,)``, none of them empty.
        training: what is searched.
        width: codes per window.
        progress: called with sequences done and sequences in all.
    """
    copies = longest_copies(sequences, training)
    found = []
    for done, (codes, (copied, place)) in enumerate(zip(sequences, copies, strict=True), 1):
        windows = [codes[first : first + width] for first in range(0, max(1, len(codes) - width + 1), width)]
        distances, places = zip(*(_nearest_span(window, training) for window in windows), strict=True)
        best = int(np.argmin(distances))
        utterance, at = training.place(places[best])
        found.append(
            Neighbour(
                copied,
                training.place(place)[0],
                float(np.mean(distances)),
                float(distances[best]),
                utterance,
                at,
            )
        )
        if progress:
            progress(done, len(sequences))
    return found


def _nearest_span(window: Codes, training: Training) -> tuple[float, int]:
    """Edit distance of a window to the nearest span, by its length, and where about that begins."""
    width = len(window)
    slack = max(1, round(_SLACK * width))
    votes = np.concatenate(([0], np.cumsum(training.votes(window))))
    around = votes[2 * slack + 1 :] - votes[: -2 * slack - 1] if len(votes) > 2 * slack + 1 else votes[-1:]
    # around[i] holds the votes of places i - width + 1 to i - width + 1 + 2 * slack.
    starts = _peaks(around, 2 * slack + 1, CANDIDATES) - width + 1
    columns = starts[:, None] + np.arange(width + 2 * slack)
    inside = (columns >= 0) & (columns < len(training.codes))
    spans = np.where(inside, training.codes[np.clip(columns, 0, len(training.codes) - 1)], training.codebook_size)
    distances = edit_distances(window, spans)
    best = int(np.argmin(distances))
    return float(distances[best] / width), int(np.clip(starts[best] + slack, 0, len(training.codes) - 1))


def _peaks(values: Ints, apart: int, number: int) -> Ints:
    """Indices of the highest values, one at most of each ``apart`` neighbours, highest first."""
    padded = np.append(values, np.full(-len(values) % apart, -1)).reshape(-1, apart)
    highest = padded.argmax(1)
    rows = np.argsort(-padded[np.arange(len(padded)), highest], kind="stable")[:number]
    return np.asarray(rows * apart + highest[rows], np.int64)


def edit_distances(window: Codes, spans: Codes) -> Ints:
    """Edits that turn some part of each span into a window (Sellers 1980).

    Args:
        window: shape ``(width,)``.
        spans: shape ``(spans, length)``.

    Returns:
        shape ``(spans,)``.
    """
    across = np.arange(spans.shape[1] + 1, dtype=np.int32)
    row = np.zeros((len(spans), len(across)), np.int32)
    for code in window:
        above = row + 1
        above[:, 1:] = np.minimum(above[:, 1:], row[:, :-1] + (spans != code))
        # What is put in goes along the row: the least of all before it plus the way from there.
        row = np.minimum.accumulate(above - across, axis=1) + across
    return np.asarray(row.min(1), np.int64)


def longest_copies(sequences: Sequence[Codes], training: Training) -> list[tuple[int, int]]:
    """The longest span of each sequence that the training data hold too: its length, and a place of it there.

    By the suffixes of all, ranked by their first 1, 2, 4 ... codes (Manber and Myers 1993): the training suffix that
    shares most with another suffix is the nearest training suffix before or behind it in their order.
    """
    size = len(training.codes)
    # Each sequence ends with a code of its own, so that no suffix goes over its end, nor matches the training's.
    closed = [
        np.append(codes, training.codebook_size + 1 + number).astype(np.int64) for number, codes in enumerate(sequences)
    ]
    owner = np.repeat(np.arange(len(closed)), [len(one) for one in closed])
    levels = _ranks(np.concatenate([training.codes.astype(np.int64), *closed]), max(map(len, closed)))
    order = np.argsort(levels[-1], kind="stable")
    of_training = order < size
    position = np.flatnonzero(~of_training)
    before = np.maximum.accumulate(np.where(of_training, np.arange(len(order)), -1))[position]
    behind = np.minimum.accumulate(np.where(of_training, np.arange(len(order)), len(order))[::-1])[::-1][position]
    suffix = order[position]
    best: list[tuple[int, int]] = [(0, 0)] * len(closed)
    for other, there in ((before, before >= 0), (behind, behind < len(order))):
        ours, theirs = suffix[there], order[other[there]]
        shared = _shared(levels, ours, theirs)
        for number in range(len(closed)):
            mine = np.flatnonzero(owner[ours - size] == number)
            if mine.size:
                longest = mine[np.argmax(shared[mine])]
                best[number] = max(best[number], (int(shared[longest]), int(theirs[longest])))
    return best


def _ranks(codes: Ints, longest: int) -> list[Codes]:
    """Rank of every suffix by its first 1, 2, 4 ... codes, until ``longest`` are reached or all differ."""
    ranks = np.unique(codes, return_inverse=True)[1]
    levels = [ranks.astype(np.int32)]
    length = 1
    while length < longest and ranks.max() < len(codes) - 1:
        following = np.zeros_like(ranks)
        following[:-length] = ranks[length:] + 1
        ranks = np.unique(ranks * (len(codes) + 1) + following, return_inverse=True)[1]
        levels.append(ranks.astype(np.int32))
        length *= 2
    return levels


def _shared(levels: Sequence[Codes], ours: Ints, theirs: Ints) -> Ints:
    """How many codes two suffixes share from their beginning, for pairs of them."""
    shared = np.zeros(len(ours), np.int64)
    last = len(levels[0]) - 1
    for level in range(len(levels) - 1, -1, -1):
        a, b = ours + shared, theirs + shared
        same = levels[level][np.minimum(a, last)] == levels[level][np.minimum(b, last)]
        shared[same & (np.maximum(a, b) <= last)] += 1 << level
    return shared
