"""ABX: is X nearer to A, a token of the same phone, than to B, a token of another? The share of times it is not.

Schatz et al. (2013), "Evaluating speech features with the Minimal-Pair ABX task". Tokens are compared by dynamic time
warping with the angular distance of their frames, normalised by the length of the path, as in the ZeroSpeech
Challenges. Two tasks:

- ``triphone``: tokens are whole triphones, and A and B differ in the middle phone alone (*beg* and *bag*);
- ``any``: tokens are single phones, in whatever context.

*Within* speakers, A, B and X are of one speaker; *across*, X is of another speaker than A and B. Errors are averaged
over contexts, then over speakers, then over pairs of phones, so that frequent ones count no more than rare ones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vqspeech.alignment import Interval, phone_class
from vqspeech.errors import InputError

Task = Literal["triphone", "any"]
Speaker = Literal["within", "across"]

#: Pairs of tokens that are warped at a time.
_BATCH = 2048


@dataclass(frozen=True, slots=True)
class Tokens:
    """Stretches of speech to tell apart.

    Attributes:
        sequences: of each token, its codes, shape ``(frames,)``, or its features, shape ``(frames, dimensions)``.
        phones: of each, its (middle) phone.
        contexts: of each, the phones before and after; empty strings where the task takes no account of them.
        speakers: of each.
    """

    sequences: Sequence[NDArray[Any]]
    phones: Sequence[str]
    contexts: Sequence[tuple[str, str]]
    speakers: Sequence[str]

    def __len__(self) -> int:
        return len(self.sequences)


@dataclass(frozen=True, slots=True)
class AbxScore:
    """An ABX error rate.

    Attributes:
        error: in ``[0, 1]``; 0.5 for representations that know nothing.
        pairs: ordered pairs of phones that could be compared.
        cells: combinations of pair, context and speaker that could.
        triples: comparisons made.
        tokens: tokens there were.
    """

    error: float
    pairs: int
    cells: int
    triples: int
    tokens: int


def cut_tokens(
    sequences: Mapping[str, NDArray[Any]],
    alignment: Mapping[str, Sequence[Interval]],
    *,
    speakers: Mapping[str, str],
    frame_period: float,
    offset: float,
    task: Task = "triphone",
) -> Tokens:
    """Cut each phone (or triphone) out: the frames whose centres lie in it.

    Silence is no phone, neither in the middle nor beside it, and tokens too short for a single frame are left out.

    Args:
        sequences: utterance id -> codes, shape ``(frames,)``, or features, shape ``(frames, dimensions)``.
        alignment: utterance id -> phones.
        speakers: utterance id -> speaker.
        frame_period: seconds from one frame to the next.
        offset: seconds to the centre of the first frame.
        task: which tokens to cut.
    """
    cut: list[NDArray[Any]] = []
    phones, contexts, names = [], [], []
    for utterance, sequence in sequences.items():
        row = sorted(alignment.get(utterance, ()))
        for index, interval in enumerate(row):
            around = row[max(0, index - 1) : index + 2] if task == "triphone" else [interval]
            if task == "triphone" and len(around) < 3:
                continue
            if any(phone_class(part.label) == "silence" for part in around):
                continue
            # A hair less, so that a centre on a boundary belongs to the later token, whatever the rounding.
            first = max(0, int(np.ceil((around[0].start - offset) / frame_period - 1e-6)))
            end = int(np.ceil((around[-1].end - offset) / frame_period - 1e-6))
            if end <= first or first >= len(sequence):
                continue
            cut.append(sequence[first:end])
            phones.append(interval.label)
            contexts.append((around[0].label, around[-1].label) if task == "triphone" else ("", ""))
            names.append(speakers[utterance])
    return Tokens(cut, phones, contexts, names)


def angular_distances(vectors: ArrayLike) -> NDArray[np.float32]:
    """Angle between each two rows over pi, in ``[0, 1]``, shape ``(rows, rows)``; exactly 0 of a row to itself.

    For codes without a codebook, ``angular_distances(np.eye(codes))``: 0 for the same code, 0.5 for another.
    """
    units = _unit(np.asarray(vectors, np.float32))
    between = np.arccos(np.clip(units @ units.T, -1, 1)) / np.float32(np.pi)
    np.fill_diagonal(between, 0)
    return np.asarray(between, np.float32)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-12), np.float32)


def evaluate(
    tokens: Tokens,
    *,
    speaker: Speaker,
    table: NDArray[np.float32] | None = None,
    most_tokens: int = 10,
    most_speakers: int = 5,
    seed: int = 0,
) -> AbxScore:
    """Error rate over all pairs of phones.

    Args:
        tokens: of :func:`cut_tokens`.
        speaker: whether X is of the speaker of A and B, or of another.
        table: for codes, the distance of each to each, of :func:`angular_distances`.
        most_tokens: tokens of one phone, context and speaker that are drawn, for time.
        most_speakers: other speakers that X is drawn from, for each speaker of A and B.
        seed: of the draw.

    Raises:
        InputError: there is nothing to compare.
    """
    generator = np.random.default_rng(seed)
    sequences: list[NDArray[Any]] = [
        np.asarray(sequence) if table is not None else _unit(np.asarray(sequence, np.float32))
        for sequence in tokens.sequences
    ]
    # context -> speaker -> phone -> tokens
    cells: dict[tuple[str, str], dict[str, dict[str, list[int]]]] = {}
    for index, (context, name, phone) in enumerate(zip(tokens.contexts, tokens.speakers, tokens.phones, strict=True)):
        cells.setdefault(context, defaultdict(dict))[name].setdefault(phone, []).append(index)
    errors: dict[tuple[str, str], dict[tuple[str, str], list[float]]] = defaultdict(lambda: defaultdict(list))
    count = triples = 0
    for context in sorted(cells):
        chosen = {
            name: {phone: _draw(found, most_tokens, generator) for phone, found in sorted(phones.items())}
            for name, phones in sorted(cells[context].items())
        }
        for ours, theirs in _speaker_pairs(list(chosen), speaker, most_speakers, generator):
            for pair, error, made in _compare(chosen[ours], chosen[theirs], sequences, table, same=ours == theirs):
                errors[pair][ours, theirs].append(error)
                count, triples = count + 1, triples + made
    if not errors:
        raise InputError(
            f"no two phones can be compared {speaker} speakers",
            cure="ABX needs tokens of two phones in one context" + (" of two speakers" if speaker == "across" else ""),
        )
    of_pair = [float(np.mean([np.mean(contexts) for contexts in speakers.values()])) for speakers in errors.values()]
    return AbxScore(float(np.mean(of_pair)), len(errors), count, triples, len(tokens))


def _draw(found: list[int], most: int, generator: np.random.Generator) -> list[int]:
    if len(found) <= most:
        return found
    return sorted(generator.choice(found, most, replace=False).tolist())


def _speaker_pairs(
    names: list[str], speaker: Speaker, most: int, generator: np.random.Generator
) -> list[tuple[str, str]]:
    if speaker == "within":
        return [(name, name) for name in names]
    pairs = []
    for name in names:
        others = [other for other in names if other != name]
        if len(others) > most:
            others = sorted(generator.choice(others, most, replace=False).tolist())
        pairs += [(name, other) for other in others]
    return pairs


def _compare(
    ours: Mapping[str, list[int]],
    theirs: Mapping[str, list[int]],
    sequences: Sequence[NDArray[Any]],
    table: NDArray[np.float32] | None,
    *,
    same: bool,
) -> list[tuple[tuple[str, str], float, int]]:
    """Error and number of triples of each pair of phones, A and B of ``ours``, X of ``theirs``."""
    # A phone that X cannot be (as A, it needs a second token within the speaker) is still a B for others.
    fit = [phone for phone, found in ours.items() if phone in theirs and (not same or len(found) > 1)]
    if not fit or len(ours) < 2:
        return []
    left = [index for found in ours.values() for index in found]
    right = [index for phone in fit for index in theirs[phone]]
    distances = _distance_matrix(left, right, sequences, table)
    rows = _slices(ours)
    columns = _slices({phone: theirs[phone] for phone in fit})
    made = []
    for phone in fit:
        to_a = distances[rows[phone], columns[phone]]
        triples_of_x = to_a.shape[0] - same
        for other in ours:
            if other == phone:
                continue
            to_b = distances[rows[other], columns[phone]]
            # (a, b, x): half an error where both are equally far.
            wrong = (to_a[:, None] > to_b[None]) + 0.5 * (to_a[:, None] == to_b[None])
            if same:
                wrong[np.arange(len(to_a)), :, np.arange(len(to_a))] = 0
            triples = triples_of_x * to_b.shape[0] * to_a.shape[1]
            made.append(((phone, other), float(wrong.sum() / triples), triples))
    return made


def _slices(groups: Mapping[str, list[int]]) -> dict[str, slice]:
    ends = np.cumsum([len(found) for found in groups.values()]).tolist()
    return {phone: slice(end - len(found), end) for (phone, found), end in zip(groups.items(), ends, strict=True)}


def _distance_matrix(
    left: list[int], right: list[int], sequences: Sequence[NDArray[Any]], table: NDArray[np.float32] | None
) -> NDArray[np.float64]:
    """Warped distance of each token of ``left`` to each of ``right``."""
    lengths_left = np.array([len(sequences[index]) for index in left])
    lengths_right = np.array([len(sequences[index]) for index in right])
    distances = np.empty((len(left), len(right)))
    # Tokens of one length are stacked, and each stack warped as one array.
    for height in np.unique(lengths_left):
        for width in np.unique(lengths_right):
            rows, columns = np.flatnonzero(lengths_left == height), np.flatnonzero(lengths_right == width)
            first = np.stack([sequences[left[row]] for row in rows])
            second = np.stack([sequences[right[column]] for column in columns])
            step = max(1, _BATCH // len(columns))
            for start in range(0, len(rows), step):
                local = _frame_distances(first[start : start + step], second, table)
                warped = warp(local.reshape(-1, height, width)).reshape(-1, len(columns))
                distances[np.ix_(rows[start : start + step], columns)] = warped
    return distances


def _frame_distances(
    first: NDArray[Any], second: NDArray[Any], table: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    """Distances of frames, shape ``(first tokens, second tokens, first frames, second frames)``."""
    if table is not None:
        return np.asarray(table[first[:, None, :, None], second[None, :, None, :]])
    cosines = np.einsum("and,bmd->abnm", first, second, optimize=True)
    return np.asarray(np.arccos(np.clip(cosines, -1, 1)) / np.float32(np.pi), np.float32)


def warp(local: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean distance along the cheapest path, for many pairs of tokens of one length each.

    The path goes from the first frames to the last by steps of one frame in either token or both; of paths equally
    cheap the one with more diagonal steps counts, then the one that moves in the second token.

    Args:
        local: distances of frames, shape ``(pairs, first frames, second frames)``.

    Returns:
        Summed distance over number of frames of the path, shape ``(pairs,)``.
    """
    pairs, height, width = local.shape
    cost = np.full((width + 1, pairs), np.inf)
    steps = np.zeros((width + 1, pairs))
    for row in range(height):
        above, above_steps = cost, steps
        cost, steps = np.full((width + 1, pairs), np.inf), np.zeros((width + 1, pairs))
        if row == 0:
            above[0] = 0.0  # the path begins before the first frames
        for column in range(width):
            best, taken = above[column], above_steps[column]  # both tokens move
            left = cost[column] < best
            best, taken = np.where(left, cost[column], best), np.where(left, steps[column], taken)
            up = above[column + 1] < best
            best, taken = np.where(up, above[column + 1], best), np.where(up, above_steps[column + 1], taken)
            cost[column + 1], steps[column + 1] = best + local[:, row, column], taken + 1
        if row == 0:
            above[0] = np.inf
    return np.asarray(cost[width] / steps[width])
