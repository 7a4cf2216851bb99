"""The package's own ABX engine: dynamic time warping of many pairs of tokens at a time, in NumPy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vqspeech.evaluation.abx_tokens import Cells, Speaker, Tokens

#: Pairs of tokens that are warped at a time.
_BATCH = 2048


def compare(
    tokens: Tokens,
    *,
    speaker: Speaker,
    codebook: NDArray[np.float32] | None,
    most_tokens: int,
    most_speakers: int,
    seed: int,
) -> Cells:
    """Compare all triples of tokens that may be compared, or of those drawn. Arguments as of :func:`abx.evaluate`."""
    generator = np.random.default_rng(seed)
    table = None
    if tokens.codebook_size is not None:
        table = angular_distances(np.eye(tokens.codebook_size) if codebook is None else codebook)
    sequences: list[NDArray[Any]] = [
        np.asarray(sequence) if table is not None else _unit(np.asarray(sequence, np.float32))
        for sequence in tokens.sequences
    ]
    # context -> speaker -> phone -> tokens
    found: dict[tuple[str, str], dict[str, dict[str, list[int]]]] = {}
    for index, (context, name, phone) in enumerate(zip(tokens.contexts, tokens.speakers, tokens.phones, strict=True)):
        found.setdefault(context, defaultdict(dict))[name].setdefault(phone, []).append(index)
    rows: list[tuple[tuple[str, str], str, float, int]] = []
    for context in sorted(found):
        chosen = {
            name: {phone: _draw(places, most_tokens, generator) for phone, places in sorted(phones.items())}
            for name, phones in sorted(found[context].items())
        }
        for ours, theirs in _speaker_pairs(list(chosen), speaker, most_speakers, generator):
            for pair, error, made in _compare(chosen[ours], chosen[theirs], sequences, table, same=ours == theirs):
                rows.append((pair, ours, error, made))
    return Cells.of(rows)


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
