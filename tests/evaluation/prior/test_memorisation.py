"""The nearest training data, against searches that try everything."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from vqspeech.evaluation.prior.memorisation import Training, edit_distances, longest_copies, nearest

codes_of = st.lists(st.integers(0, 2), min_size=1, max_size=14)


def array(codes: list[int]) -> NDArray[np.int32]:
    return np.array(codes, np.int32)


def training(*utterances: list[int], size: int = 3) -> Training:
    return Training({f"u{number}": array(codes) for number, codes in enumerate(utterances)}, size)


@given(train=st.lists(codes_of, min_size=1, max_size=4), sequences=st.lists(codes_of, min_size=1, max_size=4))
def test_the_longest_copy_is_the_longest_common_substring(train: list[list[int]], sequences: list[list[int]]) -> None:
    texts = ["".join(map(str, codes)) for codes in train]
    known = training(*train)
    for codes, (length, place) in zip(sequences, longest_copies(list(map(array, sequences)), known), strict=True):
        text = "".join(map(str, codes))
        parts = {text[a:b] for a in range(len(text)) for b in range(a, len(text) + 1)}
        assert length == max(len(part) for part in parts if any(part in one for one in texts))
        if length:
            utterance, at = known.place(place)
            assert texts[int(utterance[1:])][at : at + length] in text


def plain_distance(window: list[int], span: list[int]) -> int:
    """Fewest edits from some part of a span to a window, one cell of the table at a time."""
    rows = [[0] * (len(span) + 1)]
    for i, code in enumerate(window, 1):
        row = [i]
        for j, other in enumerate(span, 1):
            row.append(min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (code != other)))
        rows.append(row)
    return min(rows[-1])


@given(window=codes_of, spans=st.lists(st.lists(st.integers(0, 2), min_size=9, max_size=9), min_size=1, max_size=5))
def test_edit_distances_are_those_of_the_plain_table(window: list[int], spans: list[list[int]]) -> None:
    found = edit_distances(array(window), np.array(spans, np.int32))
    assert found.tolist() == [plain_distance(window, span) for span in spans]


@given(train=st.lists(codes_of, min_size=1, max_size=3), window=codes_of)
def test_votes_count_the_codes_that_agree(train: list[list[int]], window: list[int]) -> None:
    known = training(*train)
    votes = known.votes(array(window))
    padded = np.concatenate((np.full(len(window) - 1, -1), known.codes, np.full(len(window) - 1, -1)))
    expected = [int((padded[i : i + len(window)] == window).sum()) for i in range(len(votes))]
    assert votes.tolist() == expected


def test_a_copy_is_found_with_what_was_changed_in_it() -> None:
    generator = np.random.default_rng(0)
    train = [generator.integers(0, 50, 800).tolist() for _ in range(5)]
    known = training(*train, size=50)
    copy = array(train[3][100:300])
    changed = np.delete(copy, [20, 70])
    changed[[5, 150]] = (changed[[5, 150]] + 1) % 50
    fresh = generator.integers(0, 50, 200).astype(np.int32)
    exact, near, other = nearest([copy, changed, fresh], known, width=100)
    assert (exact.copied, exact.copied_from, exact.distance) == (200, "u3", 0)
    assert near.copied < 90
    assert near.distance == pytest.approx((3 / 100 + 0) / 1, abs=0.011)
    assert near.nearest_utterance == "u3"
    assert other.copied < 6
    assert other.distance > 0.6


def test_where_a_window_was_found_is_told() -> None:
    generator = np.random.default_rng(1)
    train = [generator.integers(0, 50, 500).tolist() for _ in range(3)]
    found = nearest([array(train[1][200:300])], training(*train, size=50), width=50)[0]
    assert (found.nearest, found.nearest_utterance) == (0, "u1")
    assert abs(found.nearest_at - 200) <= 5


def test_a_sequence_shorter_than_a_window_is_one_and_no_match_goes_over_an_utterances_end() -> None:
    known = training([0, 1], [2, 0])
    found = nearest([array([1, 2])], known, width=50)[0]
    assert found.copied == 1
    assert found.distance == 0.5


@given(codes=codes_of, width=st.integers(1, 6))
def test_the_training_data_are_their_own_nearest(codes: list[int], width: int) -> None:
    found = nearest([array(codes)], training(codes), width=width)[0]
    assert found.copied == len(codes)
    assert found.distance == 0
