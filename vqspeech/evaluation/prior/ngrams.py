"""n-gram models of codes: interpolated modified Kneser-Ney (Chen and Goodman 1998), what a learnt prior must beat.

An utterance begins with a start symbol, which is only ever a context, and has no end symbol: each of its codes, and
nothing else, costs bits, as with an autoregressive prior. With a(g) the adjusted count of an n-gram g = (h, w), h its
context and h' that context without its oldest symbol,

    p_n(w | h) = max(a(hw) - D(a(hw)), 0) / a(h.)  +  gamma(h) p_(n-1)(w | h'),    p_0(w) = 1 / K,

where gamma(h) is the mass that the discounts took from h. The adjusted count is the plain count for a model's own
order and for n-grams that begin with the start symbol (nothing can stand before them), else the number of different
symbols seen before the n-gram. Each order has three discounts, for counts of 1, 2, and 3 or more, from the numbers of
its n-grams with counts of 1 to 4.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

#: Discounts where the counts of counts give none.
FALLBACK = (0.5, 1.0, 1.5)


@dataclass(frozen=True, slots=True)
class _Counted:
    """The different n-grams of one order, each numbered by its rank.

    Attributes:
        keys: number of the context (an n-gram of the order below) times K + 1, plus the last symbol; sorted.
        counts: how often each occurs.
        suffixes: the number of each without its oldest symbol, in the order below.
        starts: whether it begins with the start symbol.
    """

    keys: Ints
    counts: Ints
    suffixes: Ints
    starts: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Estimate:
    """What one order adds to the order below. A 0 more at each end is what number -1, for unseen, finds.

    Attributes:
        kept: a(hw) - D(a(hw)) of each n-gram.
        taken: gamma(h) a(h.) of each context.
        total: a(h.) of each context; 0 where nothing follows.
    """

    kept: Floats
    taken: Floats
    total: Floats

    def probability(self, number: Ints, context: Ints, below: Floats) -> Floats:
        """p_n from p_(n-1), for n-grams by number and contexts by number, -1 where training had none."""
        total = self.total[context]
        return np.where(total > 0, (self.kept[number] + self.taken[context] * below) / np.maximum(total, 1.0), below)


class NGrams:
    """n-gram models of all orders up to one, fitted together.

    Args:
        sequences: training codes, an array ``(frames,)`` an utterance.
        codebook_size: number of codes, K.
        order: the highest order, 1 or more.

    Raises:
        ValueError: no codes, or a code outside ``[0, codebook_size)``.

    >>> model = NGrams([[0, 1, 0, 1, 0, 1]], codebook_size=2, order=2)
    >>> [bits.round(2).tolist() for bits in model.bits([[0, 1, 0]], order=2)]
    [[0.34, 0.5, 0.34]]
    """

    def __init__(self, sequences: Iterable[ArrayLike], *, codebook_size: int, order: int = 3) -> None:
        self.codebook_size = codebook_size
        self.order = order
        tokens, place = _joined(sequences, codebook_size)
        if not place.any():
            raise ValueError("no codes to count")
        counted = [_unigrams(tokens, codebook_size)]
        number = tokens
        for n in range(2, order + 1):
            found, number = _extend(tokens, place, number, n, codebook_size)
            counted.append(found)
        # The last one is no n-gram: it keeps every search inside the array.
        self._keys = [np.append(found.keys, np.iinfo(np.int64).max) for found in counted]
        self._own: list[_Estimate] = []
        self._lower: list[_Estimate] = []
        for n, found in enumerate(counted, 1):
            contexts = np.zeros(codebook_size + 1, np.int64) if n == 1 else found.keys // (codebook_size + 1)
            number_of_contexts = 1 if n == 1 else len(counted[n - 2].keys)
            self._own.append(_estimate(found.counts, contexts, number_of_contexts))
            if n < order:
                before = np.bincount(counted[n].suffixes, minlength=len(found.keys))
                adjusted = np.where(found.starts, found.counts, before)
                self._lower.append(_estimate(adjusted, contexts, number_of_contexts))

    def bits(self, sequences: Iterable[ArrayLike], *, order: int | None = None) -> list[Floats]:
        """What each code costs: ``-log2 p(code | the codes before it)``.

        Args:
            sequences: an array ``(frames,)`` an utterance.
            order: of the model; the highest if not given.

        Returns:
            An array ``(frames,)`` an utterance.

        Raises:
            ValueError: a code outside ``[0, codebook_size)``, or an order above the highest.
        """
        order = self._checked(order)
        tokens, place = _joined(sequences, self.codebook_size)
        probability = np.full(len(tokens), 1 / self.codebook_size)
        number = tokens
        for n in range(1, order + 1):
            # The first codes of an utterance have no longer context than the start symbol and what came since.
            at = np.flatnonzero(place >= max(n - 1, 1))
            context = np.zeros(len(at), np.int64) if n == 1 else number[at - 1]
            if n > 1:
                longer = np.full(len(tokens), -1)
                longer[at] = self._find(n, context, tokens[at])
                number = longer
            estimate = (self._own if n == order else self._lower)[n - 1]
            probability[at] = estimate.probability(number[at], context, probability[at])
        starts = np.flatnonzero(place == 0)
        costs = -np.log2(probability)
        return [piece[1:] for piece in np.split(costs, starts[1:])] if len(starts) else []

    def sample(self, frames: int, *, order: int | None = None, seed: int = 0) -> NDArray[np.int32]:
        """Draw codes, shape ``(frames,)``, from the model of an order (the highest if not given)."""
        order = self._checked(order)
        generator = np.random.default_rng(seed)
        drawn = [self.codebook_size]
        while len(drawn) <= frames:
            drawn.append(self._draw(drawn[max(0, len(drawn) - order + 1) :], order, generator))
        return np.array(drawn[1:], np.int32)

    def _draw(self, history: list[int], order: int, generator: np.random.Generator) -> int:
        """One code: at each order either one of those that were seen there, or the next lower order decides."""
        width = self.codebook_size + 1
        for length in range(len(history) if order > 1 else 0, -1, -1):
            context = self._number(history[len(history) - length :])
            estimate = (self._own if length + 1 == order else self._lower)[length]
            if context < 0 or estimate.total[context] == 0:
                continue
            mass = generator.random() * estimate.total[context] - estimate.taken[context]
            if mass < 0:
                continue
            keys = self._keys[length]
            first, end = (0, width) if length == 0 else np.searchsorted(keys, [context * width, (context + 1) * width])
            chosen = np.searchsorted(np.cumsum(estimate.kept[first:end]), mass, side="right")
            return int(keys[first + min(int(chosen), int(end - first) - 1)] % width)
        return int(generator.integers(self.codebook_size))

    def _number(self, symbols: list[int]) -> int:
        """The number of an n-gram, 0 for that of no symbols, -1 for one that training had not."""
        if not symbols:
            return 0
        number = np.array(symbols[:1])
        for n, symbol in enumerate(symbols[1:], 2):
            number = self._find(n, number, np.array([symbol]))
        return int(number[0])

    def _find(self, n: int, context: Ints, symbol: Ints) -> Ints:
        """The numbers of n-grams, -1 for those that training had not."""
        keys = self._keys[n - 1]
        wanted = context * (self.codebook_size + 1) + symbol
        rank = np.searchsorted(keys, wanted)
        found: Ints = np.where((context >= 0) & (keys[rank] == wanted), rank, -1)
        return found

    def _checked(self, order: int | None) -> int:
        if order is not None and not 1 <= order <= self.order:
            raise ValueError(f"order {order} of a model of orders 1 to {self.order}")
        return self.order if order is None else order


def _joined(sequences: Iterable[ArrayLike], codebook_size: int) -> tuple[Ints, Ints]:
    """All utterances in a row, each after a start symbol (K), and each symbol's place in its utterance."""
    arrays = [np.asarray(codes, np.int64) for codes in sequences]
    if any(codes.size and (codes.min() < 0 or codes.max() >= codebook_size) for codes in arrays):
        raise ValueError(f"a code outside 0 to {codebook_size - 1}")
    start = np.array([codebook_size])
    tokens = np.concatenate([piece for codes in arrays for piece in (start, codes)] or [start[:0]])
    place = np.concatenate([np.arange(len(codes) + 1) for codes in arrays] or [start[:0]])
    return tokens, place


def _unigrams(tokens: Ints, codebook_size: int) -> _Counted:
    """The start symbol is one of them, as a context, and never counts."""
    counts = np.bincount(tokens, minlength=codebook_size + 1)
    counts[codebook_size] = 0
    symbols = np.arange(codebook_size + 1)
    return _Counted(symbols, counts, np.zeros_like(symbols), symbols == codebook_size)


def _extend(tokens: Ints, place: Ints, number: Ints, n: int, codebook_size: int) -> tuple[_Counted, Ints]:
    """The n-grams from the number of the (n-1)-gram that ends at each symbol, and the same numbers for them."""
    ends = np.flatnonzero(place >= n - 1)
    keys, first, inverse, counts = np.unique(
        number[ends - 1] * (codebook_size + 1) + tokens[ends],
        return_index=True,
        return_inverse=True,
        return_counts=True,
    )
    some = ends[first]
    longer = np.full(len(tokens), -1)
    longer[ends] = inverse
    return _Counted(keys, counts, number[some], place[some] == n - 1), longer


def _estimate(adjusted: Ints, contexts: Ints, number_of_contexts: int) -> _Estimate:
    amounts = np.array([0.0, *_discounts(adjusted)])[np.minimum(adjusted, 3)]

    def by_context(of_ngrams: Floats | Ints) -> Floats:
        return np.asarray(np.bincount(contexts, of_ngrams, minlength=number_of_contexts + 1), np.float64)

    return _Estimate(np.append(adjusted - amounts, 0.0), by_context(amounts), by_context(adjusted))


def _discounts(adjusted: Ints) -> tuple[float, float, float]:
    """For counts of 1, 2, and 3 or more: ``k - (k + 1) Y t_(k+1) / t_k``, ``Y = t_1 / (t_1 + 2 t_2)``."""
    times = [int(np.count_nonzero(adjusted == count)) for count in (1, 2, 3, 4)]
    if not all(times):
        return FALLBACK
    y = times[0] / (times[0] + 2 * times[1])
    one, two, three = (k - (k + 1) * y * times[k] / times[k - 1] for k in (1, 2, 3))
    if not (0 <= one <= 1 and 0 <= two <= 2 and 0 <= three <= 3):
        return FALLBACK
    return one, two, three
