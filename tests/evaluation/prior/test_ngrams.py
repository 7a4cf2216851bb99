"""n-gram models against one made of plain dictionaries, against sums to one, and by hand."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vqspeech.evaluation.prior.ngrams import FALLBACK, NGrams

START = -1
Gram = tuple[int, ...]


class Plain:
    """Interpolated modified Kneser-Ney word for word: dictionaries, and a recursion down the orders."""

    def __init__(self, sequences: Sequence[Sequence[int]], size: int, order: int) -> None:
        self.size, self.order = size, order
        lines = [(START, *codes) for codes in sequences]
        plain = {
            n: Counter(line[i : i + n] for line in lines for i in range(len(line) - n + 1)) for n in range(1, order + 1)
        }
        del plain[1][(START,)]
        self.counts: dict[int, dict[Gram, int]] = {order: plain[order]}
        for n in range(1, order):
            before: dict[Gram, set[int]] = defaultdict(set)
            for gram in plain[n + 1]:
                before[gram[1:]].add(gram[0])
            self.counts[n] = {
                gram: times if gram[0] == START else len(before[gram]) for gram, times in plain[n].items()
            }
        self.discounts = {n: self._discounts(n) for n in self.counts}

    def _discounts(self, n: int) -> list[float]:
        t = [0] + [sum(times == k for times in self.counts[n].values()) for k in (1, 2, 3, 4)]
        if 0 in t[1:]:
            return list(FALLBACK)
        y = t[1] / (t[1] + 2 * t[2])
        found = [1 - 2 * y * t[2] / t[1], 2 - 3 * y * t[3] / t[2], 3 - 4 * y * t[4] / t[3]]
        return found if all(0 <= d <= k for k, d in enumerate(found, 1)) else list(FALLBACK)

    def probability(self, code: int, history: Gram) -> float:
        history = history[len(history) - min(len(history), self.order - 1) :]
        return self._probability(code, history)

    def _probability(self, code: int, context: Gram) -> float:
        n = len(context) + 1
        lower = self._probability(code, context[1:]) if context else 1 / self.size
        after = {gram[-1]: times for gram, times in self.counts[n].items() if gram[:-1] == context}
        total = sum(after.values())
        if not total:
            return lower
        cut = {word: self.discounts[n][min(times, 3) - 1] if times else 0.0 for word, times in after.items()}
        return (after.get(code, 0) - cut.get(code, 0.0) + sum(cut.values()) * lower) / total

    def bits(self, codes: Sequence[int]) -> list[float]:
        line = (START, *codes)
        return [-math.log2(self.probability(line[i], line[:i])) for i in range(1, len(line))]


codes_of = st.lists(st.integers(0, 3), max_size=25)


@given(train=st.lists(codes_of, min_size=1, max_size=6), test=codes_of, order=st.integers(1, 5))
def test_it_is_the_plain_definition(train: list[list[int]], test: list[int], order: int) -> None:
    train.append([0])
    size = 5  # one code never occurs
    found = NGrams(train, codebook_size=size, order=5).bits([[*test, 4]], order=order)[0]
    assert found == pytest.approx(Plain(train, size, order).bits([*test, 4]))


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
def test_it_is_the_plain_definition_where_discounts_come_from_counts(order: int) -> None:
    generator = np.random.default_rng(0)
    jumps = generator.dirichlet(np.full(12, 0.2), size=12)
    train = [_walk(jumps, 60, generator) for _ in range(20)]
    plain = Plain(train, 12, order)
    if order > 1:
        assert plain.discounts[order] != list(FALLBACK)
    test = _walk(jumps, 40, generator)
    assert NGrams(train, codebook_size=12, order=order).bits([test])[0] == pytest.approx(plain.bits(test))


def _walk(jumps: np.ndarray, frames: int, generator: np.random.Generator) -> list[int]:
    codes = [0]
    while len(codes) < frames:
        codes.append(int(generator.choice(len(jumps), p=jumps[codes[-1]])))
    return codes


@given(train=st.lists(codes_of, max_size=6), context=codes_of, order=st.integers(1, 5))
def test_probabilities_sum_to_one(train: list[list[int]], context: list[int], order: int) -> None:
    model = NGrams([*train, [1, 2]], codebook_size=6, order=order)
    bits = model.bits([[*context, code] for code in range(6)])
    assert sum(2.0 ** -costs[-1] for costs in bits) == pytest.approx(1)


def test_a_bigram_by_hand() -> None:
    # Plain counts: <s>0 once; 01 twice; 10 once. Before 0: <s> and 1; before 1: 0. Discounts: 0.5, 1, 1.5.
    model = NGrams([[0, 1, 0, 1]], codebook_size=4, order=2)
    below = [(2 - 1) / 3 + 1.5 / 3 / 4, (1 - 0.5) / 3 + 1.5 / 3 / 4, 1.5 / 3 / 4]
    expected = [0.5 + 0.5 * below[0], (2 - 1) / 2 + below[1] / 2, 0.5 * below[2], below[0]]
    assert 2.0 ** -model.bits([[0, 1, 2, 0]])[0] == pytest.approx(expected)


def test_a_unigram_by_hand() -> None:
    model = NGrams([[0, 0, 0, 1]], codebook_size=3, order=1)
    assert 2.0 ** -model.bits([[0, 1, 2]])[0] == pytest.approx([1.5 / 4 + 1 / 6, 0.5 / 4 + 1 / 6, 1 / 6])


def test_no_context_goes_over_the_start_of_an_utterance() -> None:
    model = NGrams([[0, 1, 2], [2, 1, 0]], codebook_size=3, order=3)
    together = model.bits([[0, 1], [], [2, 2]])
    assert [len(costs) for costs in together] == [2, 0, 2]
    assert together[2] == pytest.approx(model.bits([[2, 2]])[0])
    assert model.bits([]) == []


def test_the_order_above_says_nothing_of_a_lower_one() -> None:
    train = [[0, 1, 2, 0, 1, 1], [2, 2, 0, 1]]
    high, low = NGrams(train, codebook_size=3, order=5), NGrams(train, codebook_size=3, order=2)
    assert high.bits(train, order=2)[1] == pytest.approx(low.bits(train)[1])


def test_it_comes_near_the_entropy_of_a_chain() -> None:
    generator = np.random.default_rng(1)
    jumps = np.array([[0.9, 0.1, 0.0], [0.0, 0.5, 0.5], [0.7, 0.0, 0.3]])
    train, test = [_walk(jumps, 4000, generator)], [_walk(jumps, 4000, generator)]
    before = np.bincount(test[0][:-1], minlength=3) / 3999
    entropy = -float((before[:, None] * jumps * np.log2(np.where(jumps > 0, jumps, 1))).sum())
    model = NGrams(train, codebook_size=3, order=3)
    assert model.bits(test, order=2)[0].mean() == pytest.approx(entropy, rel=0.03)
    assert model.bits(test, order=1)[0].mean() > entropy * 1.2


@pytest.mark.parametrize("order", [1, 2, 3])
def test_samples_cost_what_the_model_says_they_do(order: int) -> None:
    generator = np.random.default_rng(2)
    jumps = generator.dirichlet(np.full(4, 0.3), size=4)
    model = NGrams([_walk(jumps, 300, generator) for _ in range(3)], codebook_size=5, order=order)
    drawn = np.concatenate([model.sample(1, order=order, seed=seed) for seed in range(3000)])
    expected = [2.0 ** -model.bits([[code]])[0][0] for code in range(5)]
    assert np.bincount(drawn, minlength=5) / 3000 == pytest.approx(expected, abs=0.04)
    long = model.sample(4000)
    costs = np.stack([-model.bits([[*long[:1000], code]])[0][-1] for code in range(5)])
    assert (2.0**costs).sum() == pytest.approx(1)
    follows = Counter(zip(long[:-1].tolist(), long[1:].tolist(), strict=True))
    if order == 2:
        often = follows.most_common(1)[0][0]
        share = follows[often] / sum(times for pair, times in follows.items() if pair[0] == often[0])
        assert share == pytest.approx(2.0 ** -model.bits([[int(long[0]), *often]])[0][-1], abs=0.04)
    assert np.array_equal(long, model.sample(4000))


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="no codes"):
        NGrams([[]], codebook_size=3)
    with pytest.raises(ValueError, match="outside 0 to 2"):
        NGrams([[0, 3]], codebook_size=3)
    model = NGrams([[0, 1]], codebook_size=3, order=2)
    with pytest.raises(ValueError, match="outside 0 to 2"):
        model.bits([[-1]])
    with pytest.raises(ValueError, match="order 3"):
        model.bits([[0]], order=3)
