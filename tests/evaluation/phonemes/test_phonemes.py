"""Phoneme accuracy and its report: held-out maps, the paper's protocol, silence, baselines, intervals."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vqspeech.alignment import Interval
from vqspeech.codes import CodeInfo, Codes
from vqspeech.errors import InputError
from vqspeech.evaluation import phonemes
from vqspeech.evaluation.frames import frames, guessed_speaker, pair
from vqspeech.evaluation.mfcc import mfcc, pool
from vqspeech.evaluation.phonemes import baselines

PHONES = ["aa", "b", "iy", "n", "s", "sil", "t"]
utterance = st.lists(st.tuples(st.integers(0, 4), st.sampled_from(PHONES)), min_size=1, max_size=15)
corpus = st.lists(utterance, min_size=2, max_size=6)


def split(rows: list[list[tuple[int, str]]]) -> tuple[list[list[int]], list[list[str]]]:
    return [[code for code, _ in row] for row in rows], [[phone for _, phone in row] for row in rows]


def spoken(
    seed: int, utterances: int = 30, frames_each: int = 60, noise: float = 0.3
) -> tuple[list[np.ndarray], list[list[str]]]:
    """Codes that are a noisy function of the phones, three codes per phone."""
    generator = np.random.default_rng(seed)
    phones = [np.repeat(generator.integers(0, 7, frames_each // 3), 3) for _ in range(utterances)]
    codes = []
    for row in phones:
        clean = row * 3 + generator.integers(0, 3, row.size)
        codes.append(np.where(generator.random(row.size) < noise, generator.integers(0, 21, row.size), clean))
    return codes, [[PHONES[index] for index in row] for row in phones]


# Accuracy


def test_worked_example_with_a_training_part() -> None:
    result = phonemes.evaluate(
        [[0, 0, 1, 2, 3]],
        [["aa", "b", "b", "sil", "aa"]],
        train_codes=[[0, 0, 0, 1, 2, 2]],
        train_phones=[["aa", "aa", "b", "b", "sil", "sil"]],
        codebook_size=4,
    )
    # Learnt: 0 -> aa, 1 -> b, 2 -> sil; 3 never occurred and is called the most frequent phone (aa, before sil).
    assert result.mapping == "learnt on the training part"
    assert result.scores.accuracy == pytest.approx(4 / 5)
    assert result.scores.accuracy_same_part == pytest.approx(4 / 5)
    # Without the silent frame, three of four.
    assert result.scores.accuracy_without_silence == pytest.approx(3 / 4)
    assert result.without_silence is not None
    assert result.without_silence.frames == 4


def test_without_a_training_part_no_utterance_is_called_by_itself() -> None:
    # Code 0 is b in one utterance and aa in the two others; code 1 occurs in one utterance alone.
    result = phonemes.evaluate([[0, 1], [0], [0, 0]], [["b", "iy"], ["aa"], ["aa", "aa"]])
    assert result.mapping == "learnt on all other utterances"
    # Utterance 0: both are called aa (1 is unseen elsewhere): 0 of 2. Utterance 1: aa, rightly. Utterance 2: code 0 was
    # aa once and b once elsewhere, and aa, b and iy are equally frequent there, so the first: aa, rightly twice.
    assert result.scores.accuracy == pytest.approx(3 / 5)
    assert result.scores.accuracy_same_part == pytest.approx(4 / 5)


def test_a_single_utterance_is_said_to_be_called_by_its_own_map() -> None:
    result = phonemes.evaluate([[0, 1, 1]], [["aa", "b", "iy"]])
    assert result.mapping == "learnt on the same utterance"
    assert result.scores.accuracy == pytest.approx(2 / 3)
    assert result.intervals.unit is None


@given(corpus)
def test_leaving_one_out_is_what_a_loop_finds(rows: list[list[tuple[int, str]]]) -> None:
    codes, phones = split(rows)
    names = sorted({phone for row in phones for phone in row})
    hits = 0
    for index in range(len(codes)):
        others = [pair for other, row in enumerate(rows) if other != index for pair in row]
        frequency = Counter(phone for _, phone in others)
        for code, phone in rows[index]:
            heard = Counter(other for seen, other in others if seen == code)
            called = max(names, key=lambda name: (heard[name], frequency[name], -names.index(name)))
            hits += called == phone
    assert phonemes.score(frames(codes, phones)).accuracy == pytest.approx(hits / sum(map(len, codes)))


@given(corpus, st.permutations(range(5)))
def test_relabelling_codes_changes_nothing(rows: list[list[tuple[int, str]]], names: list[int]) -> None:
    codes, phones = split(rows)
    one = phonemes.score(frames(codes, phones, codebook_size=5))
    other = phonemes.score(frames([[names[code] for code in row] for row in codes], phones, codebook_size=5))
    for name in ("accuracy", "accuracy_same_part", "accuracy_without_silence", "pnmi", "ami", "bitrate", "perplexity"):
        assert getattr(one, name) == pytest.approx(getattr(other, name)), name


@settings(max_examples=30)
@given(corpus)
def test_codes_that_are_the_phones_score_1(rows: list[list[tuple[int, str]]]) -> None:
    _, phones = split(rows)
    codes = [[PHONES.index(phone) for phone in row] for row in phones]
    made = frames(codes, phones)
    scores = phonemes.score(made, made)
    for name in ("accuracy", "accuracy_same_part", "phone_purity", "cluster_purity", "pnmi", "nmi", "v_measure"):
        assert getattr(scores, name) == pytest.approx(1), name


def test_random_codes_score_the_baseline() -> None:
    generator = np.random.default_rng(0)
    _, phones = spoken(1, utterances=60)
    codes = [generator.integers(0, 8, len(row)) for row in phones]
    result = phonemes.evaluate(codes, phones)
    assert result.scores.accuracy <= result.baselines["most_likely_phone"].accuracy + 0.02
    assert abs(result.scores.ami) < 0.01


# The report's tables


def test_tables_add_up() -> None:
    codes, phones = spoken(2)
    result = phonemes.evaluate(codes, phones, codebook_size=24)
    total = sum(map(len, phones))
    assert result.table.shape == (24, 7)
    assert result.table.sum() == result.confusion.sum() == result.scores.frames == total
    assert result.scores.used_codes == len(result.code_to_phone) == 21
    assert sum(row.frames for row in result.per_phone) == sum(row.frames for row in result.per_class) == total
    assert sum(row.frames * row.recall for row in result.per_phone) / total == pytest.approx(result.scores.accuracy)
    lengths = np.arange(1, len(result.run_lengths) + 1)
    assert (lengths * result.run_lengths).sum() == total
    assert result.usage[-1][:2] == (total, 21)


def test_a_class_counts_any_of_its_phones() -> None:
    result = phonemes.evaluate(
        [[0, 1, 2, 2]], [["aa", "iy", "s", "aa"]], train_codes=[[0, 1, 2]], train_phones=[["iy", "aa", "s"]]
    )
    by_name = {row.name: row for row in result.per_class}
    # Both vowels are called the other one, and a third a fricative.
    assert by_name["vowels"].recall == pytest.approx(2 / 3)
    assert by_name["fricatives"].precision == pytest.approx(1 / 2)
    assert result.scores.accuracy == pytest.approx(1 / 4)


def test_code_table_by_hand() -> None:
    result = phonemes.evaluate([[5, 5, 5, 9, 5]], [["aa", "aa", "b", "s", "aa"]])
    first, second = result.code_to_phone
    assert (first.code, first.frames, first.phone, first.share, first.mean_run) == (5, 4, "aa", 0.75, 2.0)
    assert (second.code, second.phone, second.entropy) == (9, "s", 0.0)


# Baselines


def test_baselines_lie_below_codes_that_know_something() -> None:
    codes, phones = spoken(3, utterances=60)
    train_codes, train_phones = spoken(4, utterances=60)
    result = phonemes.evaluate(codes, phones, train_codes=train_codes, train_phones=train_phones, frame_period=0.1)
    assert set(result.baselines) == {"most_likely_phone", "random_codes", "codes_shifted_1s"}
    for baseline in result.baselines.values():
        assert baseline.accuracy < result.scores.accuracy - 0.3
    most_likely = Counter(phone for row in phones for phone in row)
    best = Counter(phone for row in train_phones for phone in row).most_common(1)[0][0]
    assert result.baselines["most_likely_phone"].accuracy == pytest.approx(most_likely[best] / most_likely.total())
    assert result.baselines["most_likely_phone"].bitrate == 0
    assert result.baselines["random_codes"].perplexity == pytest.approx(result.scores.perplexity, rel=0.05)
    assert result.baselines["codes_shifted_1s"].bitrate == pytest.approx(result.scores.bitrate)


def test_kmeans_and_the_linear_classifier_hear_what_is_in_the_features() -> None:
    generator = np.random.default_rng(0)

    def part(seed: int):
        codes, phones = spoken(seed, utterances=10)
        made = frames(codes, phones, codebook_size=21)
        centres = np.random.default_rng(9).normal(size=(7, 5)) * 4
        return made, (centres[made.phones] + generator.normal(size=(len(made), 5))).astype(np.float32)

    test, features = part(5)
    train, train_features = part(6)
    baseline = phonemes.score(*baselines.kmeans_baseline(test, train, features, train_features))
    topline = phonemes.score(*baselines.linear_topline(test, train, features, train_features))
    assert topline.accuracy > 0.95
    assert baseline.accuracy > 0.9
    alone = phonemes.score(*baselines.linear_topline(test, None, features, None))
    assert alone.accuracy > 0.95
    # Phones that the features say nothing about: what was taught does not leak into what is heard.
    noise = generator.normal(size=features.shape).astype(np.float32)
    assert phonemes.score(*baselines.linear_topline(test, None, noise, None)).accuracy < 0.3


# Intervals


def test_intervals_hold_the_figure_and_narrow_with_more_speakers() -> None:
    def width(speakers: int) -> float:
        codes, phones = spoken(7, utterances=speakers * 2)
        result = phonemes.evaluate(codes, phones, speakers=[f"s{index // 2}" for index in range(speakers * 2)])
        assert (result.intervals.unit, result.intervals.units) == ("speakers", speakers)
        for name, (low, high) in result.intervals.bounds.items():
            if not name.startswith("boundary"):
                assert low <= getattr(result.scores, name) <= high, name
        low, high = result.intervals.bounds["accuracy"]
        return high - low

    assert width(40) < width(6)


def test_few_speakers_are_resampled_by_utterance() -> None:
    codes, phones = spoken(8, utterances=12)
    result = phonemes.evaluate(codes, phones, speakers=["a", "b", "c"] * 4)
    assert (result.intervals.unit, result.intervals.units) == ("utterances", 12)


def test_a_seed_gives_the_same_report() -> None:
    made = frames(*spoken(9))
    one, other = phonemes.evaluate_frames(made, seed=3), phonemes.evaluate_frames(made, seed=3)
    assert (one.scores, one.baselines, one.intervals) == (other.scores, other.baselines, other.intervals)


# Pairing codes with an alignment

ALIGNMENT = {"p1_a": [Interval(0.0, 0.1, "sil"), Interval(0.1, 0.2, "aa"), Interval(0.24, 0.4, "b")]}


def test_a_code_has_the_phone_at_its_centre() -> None:
    codes = Codes(CodeInfo(8, 0.04, 0.02), {"p1_a": np.arange(8, dtype=np.int32), "p1_x": np.zeros(3, np.int32)})
    made = pair(codes, ALIGNMENT | {"p1_y": []})
    labels = [made.frames.labels[index] for index in made.frames.phones]
    # Centres 0.02, 0.06, 0.10 …: a centre on a boundary has the later phone, one in a gap is silent.
    assert labels == ["sil", "sil", "aa", "aa", "aa", "sil", "b", "b"]
    assert made.unlabelled == 1
    assert made.without_phones == ("p1_x",)
    assert made.without_codes == ("p1_y",)
    assert made.frames.speakers == ("p1",)
    assert made.length_ratio == pytest.approx(0.8)
    assert made.frames.boundaries is not None
    assert made.frames.boundaries[0] == pytest.approx([0.1, 0.2, 0.24])


def test_codes_and_phones_of_other_utterances_are_refused() -> None:
    codes = Codes(CodeInfo(8, 0.04, 0.02), {"other": np.zeros(3, np.int32)})
    with pytest.raises(
        InputError, match="no utterance has both codes and phones: codes name 'other', phones name 'p1_a'"
    ):
        pair(codes, ALIGNMENT)


@pytest.mark.parametrize(("name", "speaker"), [("p225_001", "p225"), ("84-121123-0000", "84"), ("solo", "solo")])
def test_the_speaker_begins_the_utterance_id(name: str, speaker: str) -> None:
    assert guessed_speaker(name) == speaker


@pytest.mark.parametrize(
    ("codes", "phones", "options", "problem"),
    [
        ([[0]], [], {}, "1 utterance of codes, but 0 of phones"),
        ([[0, 1]], [["aa"]], {}, "has 2 codes, but 1 phone"),
        ([[]], [[]], {}, "no frames"),
        ([[5]], [["aa"]], {"codebook_size": 5}, "outside"),
        ([[0.5]], [["aa"]], {}, "not integers"),
        ([[0]], [["aa"]], {"speakers": ["a", "b"]}, "2 speakers"),
        ([[0]], [["aa"]], {"boundaries": []}, "0 lists of boundaries"),
        ([[0]], [["aa"]], {"train_codes": [[0]]}, "needs both"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(codes, phones, options, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        phonemes.evaluate(codes, phones, **options)


# MFCCs


def test_mfcc_frames_are_where_they_say() -> None:
    pytest.importorskip("librosa")
    waveform = np.random.default_rng(0).normal(size=16_000).astype(np.float32) * 1e-3
    waveform[8_000:] *= 100
    features = mfcc(waveform)
    assert features.shape == (1 + (16_000 - 400) // 160, 39)
    jump = np.abs(np.diff(features[:, 0])).argmax()
    # The loudness jumps at 0.5 s, between the centres of two frames that lie about it.
    assert 0.0125 + 0.01 * jump == pytest.approx(0.5, abs=0.02)
    assert mfcc(np.zeros(10)).shape == (1, 39)


def test_pooling_is_the_mean_of_the_frames_about_each_time() -> None:
    features = np.arange(20, dtype=np.float32)[:, None]
    pooled = pool(features, [0.02, 0.06], period=0.04, feature_period=0.01, feature_offset=0.005)
    assert pooled[:, 0] == pytest.approx([1.5, 5.5])
    nearest = pool(features, [0.055, 99.0], period=0.002, feature_period=0.01, feature_offset=0.005)
    assert nearest[:, 0] == pytest.approx([5, 19])
