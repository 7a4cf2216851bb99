"""Edit distance against the textbook's table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vqspeech.evaluation.edit_distance import edit_distance

symbols = st.lists(st.integers(0, 3), max_size=12)


def table_distance(first: Sequence[object], second: Sequence[object]) -> int:
    """The last cell of the table of distances between prefixes."""
    table = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i in range(len(first) + 1):
        for j in range(len(second) + 1):
            if not i or not j:
                table[i][j] = i + j
                continue
            replaced = table[i - 1][j - 1] + (first[i - 1] != second[j - 1])
            table[i][j] = min(replaced, table[i - 1][j] + 1, table[i][j - 1] + 1)
    return table[-1][-1]


@given(symbols, symbols)
def test_short_ones(first: list[int], second: list[int]) -> None:
    assert edit_distance(first, second) == table_distance(first, second) == edit_distance(second, first)


def test_ones_longer_than_a_machine_word() -> None:
    generator = np.random.default_rng(0)
    for _ in range(10):
        first, second = (generator.integers(0, 5, generator.integers(100, 300)).tolist() for _ in range(2))
        assert edit_distance(first, second) == table_distance(first, second)


@pytest.mark.parametrize(("first", "second", "distance"), [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3)])
def test_by_hand(first: str, second: str, distance: int) -> None:
    assert edit_distance(first, second) == distance
