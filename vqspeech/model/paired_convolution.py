"""Dilated convolutions of window 3 with four products for two outputs in place of six, and which rows those take.

Two outputs that lie a dilation apart see four inputs ``d0 ... d3``, of which they share two. With taps ``g0 g1 g2``,

    m0 = (d0 - d2) g0                    y0 = m0 + m1 + m2
    m1 = (d1 + d2) (g0 + g1 + g2) / 2    y1 = m1 - m2 - m3
    m2 = (d2 - d1) (g0 - g1 + g2) / 2
    m3 = (d1 - d3) g2

which is F(2, 3) of Winograd 1980, "Arithmetic Complexity of Computations" (Lavin and Gray 2016, "Fast Algorithms for
Convolutional Neural Networks", section 4.1, for products of matrices). The sums of taps are made once, in float64; what
rounding adds is of the size of that of the products themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


class PairedConvolution:
    """A convolution of window 3 on pairs of rows.

    Args:
        taps: ``(3, inputs, outputs)``.
        bias: ``(outputs,)``.
    """

    def __init__(self, taps: Tensor, bias: Tensor) -> None:
        first, middle, last = taps.detach().double()  # (inputs, outputs) each
        sums = torch.stack([first, (first + middle + last) / 2, (first - middle + last) / 2, last])
        self.weights = sums.float().contiguous()  # (4, inputs, outputs)
        self.bias = bias.detach().float()  # (outputs,)

    def __call__(self, rows: Tensor, made: Tensor, buffers: Buffers) -> None:
        """The outputs of pairs.

        Args:
            rows: ``(4, pairs, inputs)``: what the two outputs of a pair see, each a dilation after the one before.
            made: where they go, ``(2, pairs, outputs)``.
            buffers: overwritten.
        """
        d0, d1, d2, d3 = rows.unbind()  # (pairs, inputs) each
        s0, s1, s2, s3 = buffers.sums.unbind()  # (pairs, inputs) each
        torch.sub(d0, d2, out=s0)
        torch.add(d1, d2, out=s1)
        torch.sub(d2, d1, out=s2)
        torch.sub(d1, d3, out=s3)
        torch.bmm(buffers.sums, self.weights, out=buffers.products)  # (4, pairs, outputs)
        m0, m1, m2, m3 = buffers.products.unbind()  # (pairs, outputs) each
        first, second = made.unbind()  # (pairs, outputs) each
        m1.add_(self.bias)
        torch.add(m1, m2, out=first).add_(m0)
        torch.sub(m1, m2, out=second).sub_(m3)


class Buffers:
    """What a call of a convolution works in.

    Args:
        weights: of the convolution, ``(4, inputs, outputs)``.
        pairs: how many rows.
    """

    def __init__(self, weights: Tensor, pairs: int) -> None:
        self.sums = weights.new_empty(4, pairs, weights.shape[1])  # (4, pairs, inputs)
        self.products = weights.new_empty(4, pairs, weights.shape[2])  # (4, pairs, outputs)


@dataclass(frozen=True)
class Pairs:
    """How rows of utterances become pairs, tile by tile, and how what becomes of those goes back.

    Attributes:
        seen: ``(tiles, 2 tile)``: the rows that the pairs of a tile see first, then second, third and fourth; outside
            an utterance ``rows``, which is a row of zeros.
        place: ``(rows,)`` where the output of each row lies, in tiles of the first outputs of pairs and then the second
            ones.
    """

    seen: Tensor
    place: Tensor

    @classmethod
    def of(
        cls, spans: Sequence[tuple[int, int]], rows: int, *, dilation: int, offset: int, tile: int, aligned: bool
    ) -> Pairs:
        """The pairs of utterances.

        Args:
            spans: the first row of each and the one after its last.
            rows: in all; those of no utterance have any place.
            dilation: rows between the taps.
            offset: of the first tap from the output's row.
            tile: rows that are computed together.
            aligned: whether each utterance begins a tile of its own.
        """
        half = tile // 2
        begins = np.array([begin for begin, _ in spans])  # (utterances,)
        lengths = np.array([end for _, end in spans]) - begins  # (utterances,)
        utterance = np.repeat(np.arange(len(spans)), lengths)  # (codes,)
        time = np.arange(len(utterance)) - np.repeat(np.cumsum(lengths) - lengths, lengths)  # (codes,)
        first = time % (2 * dilation) < dilation  # (codes,) bool: the first of its pair
        counts = np.bincount(utterance[first], minlength=len(spans))  # (utterances,): pairs
        kept = -(-counts // half) * half if aligned else counts  # (utterances,)
        shift = np.cumsum(kept) - kept - (np.cumsum(counts) - counts)  # (utterances,)
        pair = np.arange(counts.sum()) + np.repeat(shift, counts)  # (pairs,)
        tiles = max(1, -(-int(kept.sum()) // half))

        seen = np.full((4, tiles * half), rows)  # (4, places for pairs)
        times = time[first] + offset + dilation * np.arange(4)[:, None]  # (4, pairs)
        inside = (times >= 0) & (times < np.repeat(lengths, counts))  # (4, pairs) bool
        seen[:, pair] = np.where(inside, times + np.repeat(begins, counts), rows)

        place = np.zeros(rows, np.int64)  # (rows,)
        where = pair // half * tile + pair % half  # (pairs,)
        of_first = (time + begins[utterance])[first]  # (pairs,)
        place[of_first] = where
        second = time[first] + dilation < np.repeat(lengths, counts)  # (pairs,) bool: there is one
        place[of_first[second] + dilation] = where[second] + half
        of_tiles = seen.reshape(4, tiles, half).swapaxes(0, 1)  # (tiles, 4, tile / 2)
        by_tile = np.ascontiguousarray(of_tiles).reshape(tiles, -1)  # (tiles, 2 tile)
        return cls(torch.from_numpy(by_tile), torch.from_numpy(place))
