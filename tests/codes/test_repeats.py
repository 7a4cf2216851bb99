"""Ids that are there twice, found in two passes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vqspeech.codes.repeats import Repeats


@given(st.lists(st.text("abc", max_size=2), max_size=30))
def test_each_later_one_is_found_with_the_first(names: list[str]) -> None:
    repeats = Repeats()
    for name in names:
        repeats.add(name)
    expected = [(names.index(name), place) for place, name in enumerate(names) if names.index(name) < place]
    assert list(repeats.pairs((name, place) for place, name in enumerate(names))) == expected


def test_without_repeats_nothing_is_read_again() -> None:
    repeats = Repeats()
    for number in range(1000):
        repeats.add(str(number))
    assert len(repeats) == 1000

    def never() -> object:
        raise AssertionError
        yield

    assert list(repeats.pairs(never())) == []  # type: ignore[arg-type]


def test_equal_hashes_of_other_ids_are_no_repeats() -> None:
    class Name(str):
        def __hash__(self) -> int:
            return 7

    names = [Name("a"), Name("b"), Name("a")]
    repeats = Repeats()
    for name in names:
        repeats.add(name)
    assert list(repeats.pairs((name, place) for place, name in enumerate(names))) == [(0, 2)]
