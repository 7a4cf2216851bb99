"""Phone error rate, one-to-one map and purity of phones, each against a slow count, on units that are known."""

from __future__ import annotations

from collections import Counter
from itertools import groupby, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.evaluation.test_edit_distance import table_distance
from vqspeech.alignment import Interval
from vqspeech.codes import CodeInfo, Codes
from vqspeech.evaluation import phonemes
from vqspeech.evaluation.frames import Frames, frames, pair
from vqspeech.evaluation.phonemes import contingency
from vqspeech.evaluation.phonemes.recognition import NO_PHONE, one_to_one_map, phone_purities

PHONES = ["aa", "b", "iy", "n", "s", "sil", "t"]
counts = st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=1, max_size=4)


def phone_rows(seed: int, utterances: int = 20) -> list[list[int]]:
    generator = np.random.default_rng(seed)
    return [np.repeat(generator.integers(0, 7, 15), generator.integers(1, 5, 15)).tolist() for _ in range(utterances)]


def artificial(kind: str, phones: list[list[int]], seed: int = 0) -> list[list[int]]:
    """Units that are the phones, the phones by other numbers, three codes per phone, or noise."""
    generator = np.random.default_rng(seed)
    if kind == "phones":
        return phones
    if kind == "permuted":
        order = generator.permutation(7).tolist()
        return [[order[phone] for phone in row] for row in phones]
    if kind == "split":
        return [[3 * phone + int(generator.integers(3)) for phone in row] for row in phones]
    return [generator.integers(0, 21, len(row)).tolist() for row in phones]


def as_frames(codes: list[list[int]], phones: list[list[int]]) -> Frames:
    return frames(codes, [[PHONES[phone] for phone in row] for row in phones], codebook_size=21)


def slow_per(
    codes: list[list[int]], phones: list[list[int]], phone_of: dict[int, int], *, silence: bool = True
) -> float:
    """Phone error rate by the table of edit distances."""
    errors = total = 0
    for ours, theirs in zip(codes, phones, strict=True):
        strings = [[key for key, _ in groupby(row)] for row in ([phone_of.get(code, -1) for code in ours], theirs)]
        mapped, true = ([phone for phone in string if silence or phone != 5] for string in strings)
        errors, total = errors + table_distance(mapped, true), total + len(true)
    return errors / total


def slow_map(codes: list[list[int]], phones: list[list[int]]) -> dict[int, int]:
    """Each code's most frequent phone."""
    pairs = Counter(
        (c, p) for ours, theirs in zip(codes, phones, strict=True) for c, p in zip(ours, theirs, strict=True)
    )
    total = Counter(phone for row in phones for phone in row)
    return {
        code: max(range(7), key=lambda phone: (pairs[code, phone], total[phone], -phone))
        for code in {code for code, _ in pairs}
    }


@pytest.mark.parametrize("kind", ["phones", "permuted", "split", "noise"])
def test_phone_error_rate_of_known_units(kind: str) -> None:
    phones = phone_rows(0)
    codes = artificial(kind, phones)
    made = as_frames(codes, phones)
    scores = phonemes.score(made, made)
    phone_of = slow_map(codes, phones)
    assert scores.per == scores.per_same_part == pytest.approx(slow_per(codes, phones, phone_of))
    assert scores.per_without_silence == pytest.approx(slow_per(codes, phones, phone_of, silence=False))
    if kind == "noise":
        assert scores.per is not None
        assert scores.per > 0.5
    else:
        assert scores.per == 0
    # Three codes per phone, of which the one-to-one map can use one.
    if kind in ("phones", "permuted"):
        assert scores.per_one_to_one == 0
        assert scores.accuracy_one_to_one == 1
    else:
        assert scores.per_one_to_one is not None
        assert scores.per_one_to_one > 0.5
        assert scores.accuracy_one_to_one < 0.5


def test_held_out_maps_leave_each_utterance_out() -> None:
    phones = phone_rows(1)
    codes = artificial("split", phones, 1)
    codes = [[code if np.random.default_rng(i).random() < 0.7 else 0 for i, code in enumerate(row)] for row in codes]
    scores = phonemes.score(as_frames(codes, phones))
    errors = one = hits = total = 0.0
    for index in range(len(codes)):
        others = [row for other, row in enumerate(codes) if other != index]
        their_phones = [row for other, row in enumerate(phones) if other != index]
        length = sum(1 for _ in groupby(phones[index]))
        errors += slow_per(codes[index : index + 1], phones[index : index + 1], slow_map(others, their_phones)) * length
        known = as_frames(others, their_phones)
        table = contingency.table(known.codes, known.phones, shape=(21, 7))
        assigned = dict(enumerate(one_to_one_map(table).tolist()))
        one += slow_per(codes[index : index + 1], phones[index : index + 1], assigned) * length
        hits += sum(assigned[code] == phone for code, phone in zip(codes[index], phones[index], strict=True))
        total += length
    assert scores.per == pytest.approx(errors / total)
    assert scores.per_one_to_one == pytest.approx(one / total)
    assert scores.accuracy_one_to_one == pytest.approx(hits / sum(map(len, codes)))


@settings(max_examples=60)
@given(counts)
def test_no_other_assignment_holds_more_frames(rows: list[list[int]]) -> None:
    pairs = np.array(rows)
    found = one_to_one_map(pairs)
    held = sum(int(pairs[code, phone]) for code, phone in enumerate(found) if phone != NO_PHONE)
    taken = [phone for phone in found.tolist() if phone != NO_PHONE]
    assert len(taken) == len(set(taken))
    # All ways to give three phones to as many of the codes, or of stand-ins for none.
    padded = np.vstack([pairs, np.zeros((3, 3), int)])
    best = max(
        sum(int(padded[code, phone]) for phone, code in enumerate(way)) for way in permutations(range(len(padded)), 3)
    )
    assert held == best


def test_strings_are_of_the_alignment_and_not_of_the_frames() -> None:
    alignment = {
        "u": [
            Interval(0.0, 0.04, "aa"),
            Interval(0.04, 0.05, "b"),  # no frame's centre lies in it
            Interval(0.05, 0.1, "s"),
            Interval(0.1, 0.12, "s"),
            Interval(0.2, 0.24, "t"),
        ]
    }
    codes = Codes(CodeInfo(9, 0.04, 0.02), {"u": np.array([0, 1, 1, 2, 2, 3], np.int32)})
    made = pair(codes, alignment).frames
    assert made.strings == (("aa", "b", "s", "sil", "t"),)
    # Mapped: aa s s sil sil t, of which b alone is missing.
    assert phonemes.score(made, made).per == pytest.approx(1 / 5)
    without = phonemes.evaluate_frames(made, made).without_silence
    assert without is not None
    assert without.per is None


def test_purity_of_phones_adds_up_to_the_purities() -> None:
    phones = phone_rows(2)
    codes = artificial("noise", phones, 2)
    made = as_frames(codes, phones)
    pairs: NDArray[np.int64] = contingency.table(made.codes, made.phones, shape=(21, 7))
    rows = phone_purities(pairs, made.labels)
    total = pairs.sum()
    covered = [pairs[pairs.argmax(1) == index].sum() for index in range(7)]
    assert sum(row.phone_purity * number for row, number in zip(rows, covered, strict=True)) / total == pytest.approx(
        float(contingency.phone_purity(pairs))
    )
    assert sum(row.cluster_purity * row.frames for row in rows) / total == pytest.approx(
        float(contingency.cluster_purity(pairs))
    )
    assert sum(row.codes for row in rows) == 21
    by_hand: Counter[int] = Counter()
    for ours, theirs in zip(codes, phones, strict=True):
        by_hand.update(code for code, phone in zip(ours, theirs, strict=True) if phone == 0)
    assert by_hand[rows[0].code] == by_hand.most_common(1)[0][1]


def test_intervals_hold_the_phone_error_rate() -> None:
    phones = phone_rows(3)
    result = phonemes.evaluate_frames(as_frames(artificial("noise", phones), phones))
    low, high = result.intervals.bounds["per"]
    assert result.scores.per is not None
    assert low <= result.scores.per <= high


def test_discophon_finds_the_same() -> None:
    discovery = pytest.importorskip("discophon.evaluate", reason="discophon needs Python 3.12")
    phones = phone_rows(4)
    for kind in ("permuted", "split", "noise"):
        codes = artificial(kind, phones, 4)
        size = 7 if kind == "permuted" else 21
        names = {str(index): [PHONES[phone] for phone in row] for index, row in enumerate(phones)}
        made = as_frames(codes, phones)
        ours = phonemes.score(made, made)
        for mapping, rate in (("many-to-one", ours.per_same_part), ("one-to-one", ours.per_one_to_one_same_part)):
            if mapping == "one-to-one" and size != 7:
                continue
            theirs = discovery.phoneme_discovery(
                {str(index): row for index, row in enumerate(codes)},
                names,
                kind=mapping,
                n_units=size,
                n_phonemes=6,
                step_units=10,
                step_phones=10,
            )
            assert theirs["per"] == pytest.approx(rate)
            assert theirs["pnmi"] == pytest.approx(ours.pnmi)
