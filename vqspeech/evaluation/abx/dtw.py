"""The package's own ABX engine: dynamic time warping of many pairs of tokens at a time, in NumPy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vqspeech.evaluation.abx.tokens import Cells, Distance, Speaker, Tokens

T = TypeVar("T")

#: Pairs of tokens whose distances are computed before they are compared, for memory.
_WAITING = 1 << 18
#: Pairs that are warped at a time, and frame distances of them.
_BATCH, _MOST_DISTANCES = 4096, 1 << 22


def compare(
    tokens: Tokens,
    *,
    speaker: Speaker,
    codebook: NDArray[np.float32] | None,
    distance: Distance,
    max_size_group: int,
    max_x_across: int,
    seed: int,
) -> Cells:
    """Compare all triples of tokens that may be compared, or of those drawn. Arguments as of :func:`abx.evaluate`."""
    distances = _Distances(tokens, codebook, distance)
    rows: list[tuple[tuple[str, str], str, float, int]] = []
    waiting: list[_Block] = []
    size = 0
    for block in _blocks(tokens, speaker, max_size_group, max_x_across, np.random.default_rng(seed)):
        waiting.append(block)
        size += len(block.left) * len(block.right)
        if size >= _WAITING:
            rows += _compare(waiting, distances)
            waiting, size = [], 0
    return Cells.of(rows + _compare(waiting, distances))


@dataclass(frozen=True, slots=True)
class _Block:
    """Tokens of one context and speaker, A and B, and of the same or another speaker, X.

    Attributes:
        speaker: of A and B.
        ours: phone -> tokens that can be A or B.
        theirs: phone -> tokens that can be X.
        same: whether A and X are of one speaker, where no token is compared with itself.
    """

    speaker: str
    ours: Mapping[str, list[int]]
    theirs: Mapping[str, list[int]]
    same: bool

    @property
    def left(self) -> list[int]:
        """All A and B."""
        return [index for found in self.ours.values() for index in found]

    @property
    def right(self) -> list[int]:
        """All X."""
        return [index for found in self.theirs.values() for index in found]


def _blocks(
    tokens: Tokens, speaker: Speaker, max_size_group: int, max_x_across: int, generator: np.random.Generator
) -> Iterator[_Block]:
    # context -> speaker -> phone -> tokens
    found: dict[tuple[str, str], dict[str, dict[str, list[int]]]] = {}
    for index, (context, name, phone) in enumerate(zip(tokens.contexts, tokens.speakers, tokens.phones, strict=True)):
        found.setdefault(context, defaultdict(dict))[name].setdefault(phone, []).append(index)
    for context in sorted(found):
        chosen = {
            name: {phone: _draw(places, max_size_group, generator) for phone, places in sorted(phones.items())}
            for name, phones in sorted(found[context].items())
        }
        for name, ours in chosen.items():
            if len(ours) < 2:
                continue
            if speaker == "within":
                # A phone said once cannot be X as well as A; it is still a B for others.
                theirs = {phone: places for phone, places in ours.items() if len(places) > 1}
                if theirs:
                    yield _Block(name, ours, theirs, same=True)
            else:
                for theirs in _others(name, chosen, max_x_across, generator).values():
                    yield _Block(name, ours, theirs, same=False)


def _others(
    name: str, chosen: Mapping[str, Mapping[str, list[int]]], most: int, generator: np.random.Generator
) -> dict[str, dict[str, list[int]]]:
    """Other speakers -> the phones they say X of: for each phone, some of those who have it."""
    others: dict[str, dict[str, list[int]]] = {}
    for phone in chosen[name]:
        able = [other for other, phones in chosen.items() if other != name and phone in phones]
        for other in _draw(able, most, generator):
            others.setdefault(other, {})[phone] = chosen[other][phone]
    return others


def _draw(found: list[T], most: int, generator: np.random.Generator) -> list[T]:
    if len(found) <= most:
        return found
    return [found[place] for place in sorted(generator.choice(len(found), most, replace=False).tolist())]


def _compare(blocks: Sequence[_Block], distances: _Distances) -> list[tuple[tuple[str, str], str, float, int]]:
    """Ordered pair of phones, speaker of A and B, error and number of triples, of all blocks."""
    if not blocks:
        return []
    sizes = [(len(block.left), len(block.right)) for block in blocks]
    first = np.concatenate([np.repeat(block.left, width) for block, (_, width) in zip(blocks, sizes, strict=True)])
    second = np.concatenate([np.tile(block.right, height) for block, (height, _) in zip(blocks, sizes, strict=True)])
    flat = np.split(distances(first, second), np.cumsum([height * width for height, width in sizes])[:-1])
    return [row for block, part, size in zip(blocks, flat, sizes, strict=True) for row in _errors(block, part, size)]


def _errors(
    block: _Block, distances: NDArray[np.float64], shape: tuple[int, int]
) -> Iterator[tuple[tuple[str, str], str, float, int]]:
    table = distances.reshape(shape)
    rows, columns = _slices(block.ours), _slices(block.theirs)
    for phone in block.theirs:
        to_a = table[rows[phone], columns[phone]]
        for other in block.ours:
            if other == phone:
                continue
            to_b = table[rows[other], columns[phone]]
            # (a, b, x): half an error where both are equally far.
            wrong = (to_a[:, None] > to_b[None]) + 0.5 * (to_a[:, None] == to_b[None])
            if block.same:
                wrong[np.arange(len(to_a)), :, np.arange(len(to_a))] = 0
            triples = (len(to_a) - block.same) * len(to_b) * to_a.shape[1]
            yield (phone, other), block.speaker, float(wrong.sum() / triples), triples


def _slices(groups: Mapping[str, list[int]]) -> dict[str, slice]:
    ends = np.cumsum([len(found) for found in groups.values()]).tolist()
    return {phone: slice(end - len(found), end) for (phone, found), end in zip(groups.items(), ends, strict=True)}


class _Distances:
    """Warped distances of pairs of tokens."""

    def __init__(self, tokens: Tokens, codebook: NDArray[np.float32] | None, distance: Distance) -> None:
        self.distance = distance
        self.table: NDArray[np.float32] | None = None
        self.frames: NDArray[Any] = np.concatenate(list(tokens.sequences)) if len(tokens) else np.zeros((0, 1))
        if tokens.codebook_size is None:
            self.frames = _unit(self.frames)
        else:
            self.table = code_distances(np.eye(tokens.codebook_size) if codebook is None else codebook, distance)
        self.lengths = np.array([len(sequence) for sequence in tokens.sequences], np.int64)
        self.starts = np.cumsum(self.lengths) - self.lengths

    def __call__(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.float64]:
        """Of each token of ``first`` to that of ``second`` at its place, shape ``(pairs,)``."""
        heights, widths = self.lengths[first], self.lengths[second]
        # Pairs of about the same size are warped as one array.
        order = np.lexsort((widths, heights))
        distances = np.empty(len(first))
        start = 0
        while start < len(order):
            batch = order[start : start + _BATCH]
            area = int(heights[batch].max() * widths[batch].max())
            batch = batch[: max(1, _MOST_DISTANCES // area)]
            local = self._local(self._padded(first[batch]), self._padded(second[batch]))
            distances[batch] = warp(local, heights[batch], widths[batch])
            start += len(batch)
        return distances

    def _padded(self, tokens: NDArray[np.int64]) -> NDArray[Any]:
        """Frames of tokens, the last one repeated where a token is shorter than the longest."""
        lengths = self.lengths[tokens, None]
        steps = np.minimum(np.arange(lengths.max()), lengths - 1)
        return np.asarray(self.frames[self.starts[tokens, None] + steps])

    def _local(self, first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.float32]:
        """Distances of frames, shape ``(pairs, first frames, second frames)``."""
        if self.table is not None:
            return np.asarray(self.table[first[:, :, None], second[:, None, :]])
        cosines = first @ second.transpose(0, 2, 1)
        return _of_cosines(cosines, self.distance)


def code_distances(vectors: ArrayLike, distance: Distance = "angular") -> NDArray[np.float32]:
    """Distance of each two rows, shape ``(rows, rows)``; exactly 0 of a row to itself.

    For codes without a codebook, ``code_distances(np.eye(codes))``: 0 for the same code, 0.5 for another.
    """
    units = _unit(np.asarray(vectors, np.float32))
    between = _of_cosines(units @ units.T, distance)
    np.fill_diagonal(between, 0)
    return between


def _of_cosines(cosines: NDArray[np.float32], distance: Distance) -> NDArray[np.float32]:
    if distance == "cosine":
        return np.asarray(1 - cosines, np.float32)
    return np.asarray(np.arccos(np.clip(cosines, -1, 1)) / np.float32(np.pi), np.float32)


def _unit(vectors: ArrayLike) -> NDArray[np.float32]:
    rows = np.asarray(vectors, np.float32)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12), np.float32)


def warp(local: NDArray[np.float32], heights: ArrayLike, widths: ArrayLike) -> NDArray[np.float64]:
    """Mean distance along the cheapest path, for many pairs of tokens.

    The path goes from the first frames to the last by steps of one frame in either token or both; of paths equally
    cheap the one with more diagonal steps counts, then the one that moves in the second token.

    Args:
        local: distances of frames, shape ``(pairs, first frames, second frames)``; what lies beyond the frames that a
            pair has is of no account.
        heights: frames of each pair's first token, shape ``(pairs,)``.
        widths: frames of its second.

    Returns:
        Summed distance over number of frames of the path, shape ``(pairs,)``.
    """
    last_row, last_column = np.asarray(heights) - 1, np.asarray(widths)
    pairs, height, width = local.shape
    by_cell = np.ascontiguousarray(local.transpose(1, 2, 0))
    found = np.empty(pairs)
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
            np.add(best, by_cell[row, column], out=cost[column + 1])
            np.add(taken, 1, out=steps[column + 1])
        (ended,) = np.nonzero(last_row == row)
        found[ended] = cost[last_column[ended], ended] / steps[last_column[ended], ended]
    return found
