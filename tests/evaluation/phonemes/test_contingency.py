"""Purity and information against scikit-learn, slow plain versions, worked examples, and what any codes must give."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics

from vqspeech.evaluation.phonemes import contingency

Ints = NDArray[np.int64]
pairs = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4)), min_size=1, max_size=60).map(
    lambda rows: np.array(rows).T
)


def count(codes: Ints, phones: Ints) -> Ints:
    return contingency.table(codes, phones, shape=(int(codes.max()) + 1, int(phones.max()) + 1))


def test_worked_example() -> None:
    # Code 0: three a, one b. Code 1: four b. Eight frames, H(phone) of (3, 5), H(phone | code) of (3, 1) half the time.
    counts = np.array([[3, 1], [0, 4]])

    def entropy(*shares: float) -> float:
        return -sum(share * math.log(share) for share in shares)

    assert contingency.phone_purity(counts) == pytest.approx(7 / 8)
    assert contingency.cluster_purity(counts) == pytest.approx((3 + 4) / 8)
    information = entropy(3 / 8, 5 / 8) - entropy(3 / 4, 1 / 4) / 2
    assert contingency.pnmi(counts) == pytest.approx(information / entropy(3 / 8, 5 / 8))
    assert contingency.completeness(counts) == pytest.approx(information / math.log(2))


@given(pairs)
def test_table_counts_pairs(rows: Ints) -> None:
    codes, phones = rows
    table = count(codes, phones)
    slow = Counter(zip(codes.tolist(), phones.tolist(), strict=True))
    assert {(c, p): int(table[c, p]) for c, p in zip(*np.nonzero(table), strict=True)} == dict(slow)


@given(pairs)
def test_information_is_scikit_learns(rows: Ints) -> None:
    codes, phones = rows
    table = count(codes, phones)
    assert contingency.homogeneity(table) == pytest.approx(metrics.homogeneity_score(phones, codes), abs=1e-9)
    assert contingency.completeness(table) == pytest.approx(metrics.completeness_score(phones, codes), abs=1e-9)
    assert contingency.v_measure(table) == pytest.approx(metrics.v_measure_score(phones, codes), abs=1e-9)
    assert contingency.nmi(table) == pytest.approx(metrics.normalized_mutual_info_score(phones, codes), abs=1e-9)


@given(pairs)
def test_ami_is_scikit_learns(rows: Ints) -> None:
    codes, phones = rows
    assert contingency.ami(count(codes, phones)) == pytest.approx(
        metrics.adjusted_mutual_info_score(phones, codes), abs=1e-6
    )


@given(pairs)
def test_purity_is_what_a_loop_finds(rows: Ints) -> None:
    codes, phones = rows
    hits = sum(max(Counter(phones[codes == code].tolist()).values()) for code in set(codes.tolist()))
    assert contingency.phone_purity(count(codes, phones)) == pytest.approx(hits / len(codes))
    hits = sum(max(Counter(codes[phones == phone].tolist()).values()) for phone in set(phones.tolist()))
    assert contingency.cluster_purity(count(codes, phones)) == pytest.approx(hits / len(codes))


@given(pairs, st.permutations(range(6)))
def test_relabelling_codes_changes_nothing(rows: Ints, names: list[int]) -> None:
    codes, phones = rows
    one, other = count(codes, phones), count(np.array(names)[codes], phones)
    for measure in (contingency.phone_purity, contingency.cluster_purity, contingency.pnmi, contingency.nmi):
        assert measure(one) == pytest.approx(measure(other))
    assert contingency.ami(one) == pytest.approx(contingency.ami(other))


@given(pairs, st.randoms(use_true_random=False))
def test_splitting_a_code_never_lowers_phone_purity_or_pnmi(rows: Ints, random) -> None:
    codes, phones = rows
    split = np.where([random.random() < 0.5 for _ in codes], codes, codes + 6)
    assert contingency.phone_purity(count(split, phones)) >= contingency.phone_purity(count(codes, phones)) - 1e-12
    assert contingency.pnmi(count(split, phones)) >= contingency.pnmi(count(codes, phones)) - 1e-9


@given(pairs)
def test_perfect_codes_score_1(rows: Ints) -> None:
    phones = rows[1]
    table = count(phones, phones)
    for measure in (
        contingency.phone_purity,
        contingency.cluster_purity,
        contingency.pnmi,
        contingency.nmi,
        contingency.v_measure,
        contingency.completeness,
        contingency.ami,
    ):
        assert measure(table) == pytest.approx(1)


def test_one_code_for_all_knows_nothing() -> None:
    table = np.array([[30, 50, 20]])
    assert contingency.phone_purity(table) == 0.5
    assert contingency.cluster_purity(table) == 1
    assert contingency.pnmi(table) == contingency.nmi(table) == contingency.ami(table) == 0


def test_independent_codes_have_no_adjusted_information() -> None:
    generator = np.random.default_rng(0)
    table = count(generator.integers(0, 128, 4000), generator.integers(0, 40, 4000))
    # Chance alone gives 128 codes some information about 40 phones; the adjustment takes it away.
    assert contingency.pnmi(table) > 0.1
    assert abs(contingency.ami(table)) < 0.01


def test_many_tables_at_once() -> None:
    tables = np.random.default_rng(0).integers(0, 9, (5, 4, 3))
    for measure in (contingency.phone_purity, contingency.pnmi, contingency.v_measure, contingency.nmi):
        assert measure(tables) == pytest.approx([float(measure(table)) for table in tables])
