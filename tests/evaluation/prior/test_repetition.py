"""Repetition and divergence of code sequences, by hand and by plain definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from vqspeech.evaluation.prior.repetition import alike, divergence, jensen_shannon, longest_loop, repeated, repetition

codes_of = st.lists(st.integers(0, 2), max_size=18)


def array(*codes: int) -> NDArray[np.int32]:
    return np.array(codes, np.int32)


@pytest.mark.parametrize(
    ("codes", "length"),
    [
        ([0, 1, 2, 3, 4], 0),
        ([5, 5, 5, 5, 5], 0),
        ([0, 1, 0, 1], 4),
        ([9, 0, 1, 0, 1, 0, 7], 5),
        ([0, 1, 2, 8, 0, 1, 2], 0),
        ([0, 0, 1, 0, 1, 1, 1, 3], 7),
        ([0, 1, 2, 0, 1, 2, 0, 4], 7),
        ([], 0),
    ],
)
def test_the_longest_loop(codes: list[int], length: int) -> None:
    assert longest_loop(array(*codes)) == length


@given(codes_of)
def test_loops_are_what_a_plain_search_finds(codes: list[int]) -> None:
    runs: list[list[int]] = []
    for code in codes:
        if runs and runs[-1][0] == code:
            runs[-1].append(code)
        else:
            runs.append([code])
    symbols = [run[0] for run in runs]
    longest = 0
    for begin in range(len(symbols)):
        for end in range(begin, len(symbols) + 1):
            part = symbols[begin:end]
            periods = range(1, len(part) // 2 + 1)
            if any(all(part[i] == part[i - period] for i in range(period, len(part))) for period in periods):
                longest = max(longest, sum(map(len, runs[begin:end])))
    assert longest_loop(array(*codes)) == longest


@given(codes_of, st.integers(1, 4))
def test_repeated_ngrams_are_those_that_stood_earlier(codes: list[int], n: int) -> None:
    grams = [tuple(codes[i : i + n]) for i in range(len(codes) - n + 1)]
    again = sum(gram in grams[:index] for index, gram in enumerate(grams))
    assert repeated(array(*codes), n) == pytest.approx(again / len(grams) if grams else 0)


def test_repetition_of_a_set() -> None:
    found = repetition([array(1, 1, 1, 2), array(0, 3, 0, 3)])
    assert found.mean_run == pytest.approx(8 / 6)
    assert found.longest_run == 3
    assert found.run_lengths == (5, 0, 1)
    assert (found.loop, found.longest_loop) == (2, 4)
    assert found.repeated[4] == 0


def test_divergence_is_nought_of_the_same_and_one_of_the_other() -> None:
    data = [array(0, 1, 0, 1, 0)]
    assert divergence(data, data, 4).unigram == pytest.approx(0, abs=1e-12)
    assert divergence(data, data, 4).bigram == pytest.approx(0, abs=1e-12)
    assert divergence([array(2, 3)], data, 4).unigram == pytest.approx(1)
    found = divergence([array(0, 0, 1, 1, 0)], data, 4)
    assert found.unigram == pytest.approx(0, abs=1e-12)
    # Pairs 00 01 11 10 against 01 10 01 10: H of the mixture (1/8, 3/8, 1/8, 3/8) less the half of 2 + 1 bits.
    mixture = -2 * (np.log2(1 / 8) / 8 + 3 * np.log2(3 / 8) / 8)
    assert found.bigram == pytest.approx(mixture - 1.5)


def test_pairs_do_not_go_over_the_end_of_an_utterance() -> None:
    assert divergence([array(0, 1), array(0, 1)], [array(0, 1)], 2).bigram == pytest.approx(0, abs=1e-12)


@given(st.lists(st.integers(0, 9), min_size=3, max_size=3), st.lists(st.integers(0, 9), min_size=3, max_size=3))
def test_jensen_shannon_lies_between_nought_and_one_either_way_round(one: list[int], other: list[int]) -> None:
    there = jensen_shannon(np.array(one), np.array(other))
    assert 0 <= there <= 1
    assert there == pytest.approx(jensen_shannon(np.array(other), np.array(one)))


def test_sequences_are_cut_alike() -> None:
    real = {f"u{number}": np.arange(10 + number, dtype=np.int32) for number in range(30)}
    samples = [np.zeros(16, np.int32), np.zeros(15, np.int32)]
    cut, chosen, frames = alike(samples, real)
    assert frames == 15
    assert [len(codes) for codes in cut] == [15, 15]
    assert len(chosen) == 2
    assert all(np.array_equal(codes, np.arange(15)) for codes in chosen.values())
    assert list(alike(samples, real, seed=0)[1]) == list(chosen)


def test_samples_longer_than_real_utterances_are_cut_to_their_median() -> None:
    real = {f"u{number}": np.zeros(10 + number, np.int32) for number in range(21)}
    cut, chosen, frames = alike([np.zeros(500, np.int32)] * 40, real)
    assert frames == 20
    assert {len(codes) for codes in [*cut, *chosen.values()]} == {20}
    assert len(chosen) == 11
