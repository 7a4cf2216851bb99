"""Bits of a prior beside those of n-grams, and the file they come in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vqspeech.errors import InputError
from vqspeech.evaluation.prior.bits import measure, ngram_name, read_scores
from vqspeech.evaluation.prior.ngrams import NGrams

HELD_OUT = {f"s{number % 6}-{number}": np.arange(number + 2, dtype=np.int32) % 3 for number in range(12)}
SPEAKERS = [name.split("-")[0] for name in HELD_OUT]
NGRAMS = NGrams([[0, 1, 2, 0, 1, 2, 2, 1]], codebook_size=4, order=3)


def test_all_models_are_counted_on_the_same_codes() -> None:
    lengths = {name: len(codes) for name, codes in HELD_OUT.items()}
    prior = {name: 0.5 * length for name, length in lengths.items()}
    found = measure(HELD_OUT, SPEAKERS, NGRAMS, prior=prior, train_codes=8, code_rate=25.0)
    assert found.codebook == 2
    assert found.prior == pytest.approx(0.5)
    assert (found.codes, found.utterances, found.speakers) == (sum(lengths.values()), 12, 6)
    for order, value in found.ngrams.items():
        every = np.concatenate(NGRAMS.bits(HELD_OUT.values(), order=order))
        assert value == pytest.approx(every.mean())
        low, high = found.intervals.bounds[f"{ngram_name(order)} - prior"]
        assert low <= value - 0.5 <= high
    assert found.intervals.unit == "speakers"
    assert found.intervals.bounds["prior"] == pytest.approx((0.5, 0.5))


def test_without_a_prior_the_ngrams_are_measured() -> None:
    found = measure(HELD_OUT, ["one"] * 12, NGRAMS, train_codes=8, code_rate=25.0)
    assert found.prior is None
    assert set(found.intervals.bounds) == {"unigram", "bigram", "trigram"}
    assert found.intervals.unit == "utterances"


def test_one_utterance_has_no_interval() -> None:
    found = measure({"u": np.array([0, 1], np.int32)}, ["one"], NGRAMS, train_codes=8, code_rate=25.0)
    assert found.intervals.unit is None
    assert not found.intervals.bounds


def test_names_of_orders() -> None:
    assert [ngram_name(order) for order in (1, 2, 3, 4)] == ["unigram", "bigram", "trigram", "4-gram"]


def test_scores_are_read_by_utterance(tmp_path: Path) -> None:
    path = tmp_path / "scores.txt"
    path.write_text("b 4.5 2\na 1.25 1\nother 9 9\n")
    codes = {"a": np.zeros(1, np.int32), "b": np.zeros(2, np.int32)}
    assert read_scores(path, codes) == {"a": 1.25, "b": 4.5}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a 1.5\n", "scores.txt:1: not a score"),
        ("a 1.5 2\na 1.5 2\n", "scores.txt:2: utterance a occurs twice"),
        ("a nan 2\n", "scores.txt:1: not a score"),
        ("a -1 2\n", "scores.txt:1: not a score"),
        ("\n", "scores.txt:1: not a score"),
        ("a 1.5 3\n", "scored with 3 codes, and has 2"),
        ("b 1.5 2\n", "no score of 1 utterance, e.g. a"),
    ],
)
def test_bad_scores_are_told_of(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "scores.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=said) as caught:
        read_scores(path, {"a": np.zeros(2, np.int32)})
    assert caught.value.hint
