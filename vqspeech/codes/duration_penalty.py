"""Codes that stay near the features and change seldom: duration-penalised dynamic programming (DPDP).

Kamper and van Niekerk (2021), "Towards unsupervised phone and word segmentation using self-supervised vector-quantized
neural networks", choose the segmentation and codes that minimise the sum over segments of
``sum_t distance(t, code) - penalty * (frames - 1)``. The penalties of a sequence of T frames in S segments add up to
``penalty * (T - S)``, so this is the cheapest path in which each change of code costs ``penalty``: Viterbi's algorithm
finds it exactly in ``O(frames * codes)``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: Distances that are computed at a time.
_AT_ONCE = 1 << 22


def join_by_duration(distances: ArrayLike, *, penalty: float) -> NDArray[np.int32]:
    """The codes of the cheapest path.

    Args:
        distances: squared distance of each frame to each codebook vector, shape ``(frames, codes)``.
        penalty: what a segment more costs, in the units of ``distances``; 0 gives the nearest codes.

    Returns:
        Codes, shape ``(frames,)``.
    """
    return _cheapest_path([np.asarray(distances, np.float64)], penalty)


def penalised_codes(vectors: ArrayLike, codebook: ArrayLike, *, penalty: float) -> NDArray[np.int32]:
    """The codes of an encoder's output under a duration penalty.

    Args:
        vectors: shape ``(frames, dimensions)``.
        codebook: shape ``(codes, dimensions)``.
        penalty: in units of the mean squared distance between two codebook vectors, so that one value suits any model.

    Returns:
        Codes, shape ``(frames,)``.
    """
    rows, table = np.asarray(vectors, np.float64), np.asarray(codebook, np.float64)
    return _cheapest_path(_squared_distances(rows, table), penalty * scale_of(table))


def scale_of(codebook: NDArray[np.float64]) -> float:
    """The mean squared distance of two vectors drawn at random with replacement, of ``(codes, dimensions)``."""
    return float(2 * codebook.var(0).sum())


def _squared_distances(vectors: NDArray[np.float64], codebook: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    norms = (codebook**2).sum(1)
    block = max(1, _AT_ONCE // len(codebook))
    for first in range(0, len(vectors), block):
        rows = vectors[first : first + block]
        yield np.maximum((rows**2).sum(1)[:, None] - 2 * rows @ codebook.T + norms, 0.0)


def _cheapest_path(blocks: Iterable[NDArray[np.float64]], penalty: float) -> NDArray[np.int32]:
    """The path through distances that come in blocks ``(frames, codes)``, a bit kept of each."""
    total: NDArray[np.float64] | None = None
    changed: list[
        NDArray[np.uint8]
    ] = []  # of each frame but the first, whether its path comes from another code, as bits
    best: list[int] = []  # the code that it comes from then
    for block in blocks:
        for costs in block:
            if total is None:
                total = costs.copy()
                continue
            best.append(int(total.argmin()))
            with_change = total[best[-1]] + penalty
            changes = with_change < total
            changed.append(np.packbits(changes))
            total = np.where(changes, with_change, total) + costs
    if total is None:
        return np.empty(0, np.int32)
    code = int(total.argmin())
    path = [code]
    for bits, other in zip(reversed(changed), reversed(best), strict=True):
        if bits[code >> 3] >> (7 - (code & 7)) & 1:
            code = other
        path.append(code)
    return np.array(path[::-1], np.int32)
