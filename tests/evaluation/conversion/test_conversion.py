"""Pairs, rows and means of a conversion evaluation, with metrics whose values are known beforehand."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from vqspeech.evaluation.conversion import Result, evaluate
from vqspeech.evaluation.conversion import page as conversion_page
from vqspeech.evaluation.conversion import report as conversion_report
from vqspeech.evaluation.conversion.metrics import FIGURES, PairMetrics, intervals, means
from vqspeech.evaluation.conversion.pairs import Pair, Recording, balanced, relation
from vqspeech.evaluation.conversion.scorer import MOST_REFERENCES, ConversionScorer
from vqspeech.evaluation.metrics import MetricSet
from vqspeech.evaluation.metrics.asr import WordErrors
from vqspeech.evaluation.metrics.f0 import Contour

#: Speakers are told apart by the sign pattern of their waveforms; the first sample says which words.
SPEAKERS = {"anna": 0.0, "bert": 0.4, "cora": 1.5}


def waveform(speaker: str, words: int = 0, *, seconds: float = 0.5) -> NDArray[np.float32]:
    """A constant tone whose frequency stands for the speaker and whose phase for the words."""
    time = np.arange(round(seconds * 16_000)) / 16_000
    return np.sin(2 * np.pi * (200 + 400 * SPEAKERS[speaker]) * time + 0.7 * words).astype(np.float32)


def frequency(heard: NDArray[np.float32]) -> float:
    return float(np.abs(np.fft.rfft(heard)).argmax() * 16_000 / len(heard))


@dataclass
class FakeVoice:
    """The speaker's angle, as a point on the circle."""

    name: str = "fake voice"
    asked: int = 0

    def embed(self, heard: NDArray[np.float32]) -> NDArray[np.float32]:
        self.asked += 1
        angle = (frequency(heard) - 200) / 400
        return np.array([np.cos(angle), np.sin(angle)], np.float32)


@dataclass
class FakeRecogniser:
    """Hears what it was told to hear, recording after recording, then the last again."""

    hears: list[str]
    name: str = "fake recogniser"
    asked: list[str] = field(default_factory=list)

    def transcribe(self, heard: NDArray[np.float32]) -> str:
        self.asked.append(self.hears[min(len(self.asked), len(self.hears) - 1)])
        return self.asked[-1]

    def errors(self, said: str, heard: str) -> WordErrors | None:
        one, other = said.split(), heard.split()
        wrong = sum(a != b for a, b in zip(one, other, strict=False)) + abs(len(one) - len(other))
        return WordErrors(wrong, len(one)) if one else None


class FakeQuality:
    name = "fake quality"

    def score(self, heard: NDArray[np.float32]) -> float:
        return 3.0


def fake_pitch(heard: NDArray[np.float32]) -> Contour:
    count = len(heard) // 160
    return Contour(np.full(count, frequency(heard)) * np.linspace(0.9, 1.1, count), np.arange(count) * 0.01)


def recording(speaker: str, number: int, text: str | None = "one two three four") -> Recording:
    return Recording(f"{speaker}-{number}", speaker, lambda: waveform(speaker, number), text=text)


def references() -> dict[str, list[Recording]]:
    return {name: [recording(name, n, f"words of {name} {n}") for n in range(3)] for name in SPEAKERS}


def scored(pairs: Sequence[Pair], metric_set: MetricSet, *, voice: str | None = None) -> Result:
    """Conversions that speak in the target's voice, or in ``voice``."""
    made = {pair.name: (lambda pair=pair: waveform(voice or pair.target, 1)) for pair in pairs}
    return evaluate(pairs, made, references(), metric_set, resyntheses={"same": lambda heard: heard})


def test_a_perfect_conversion_meets_the_real_target() -> None:
    pairs = [Pair(recording("anna", 0), "cora", "same", True), Pair(recording("bert", 0), "cora", "cross", False)]
    result = scored(pairs, MetricSet(similarity=FakeVoice()))
    assert [row.target_wins for row in result.converted.rows] == [True, True]
    assert result.converted.mean["similarity_target"] == pytest.approx(1, abs=1e-3)
    assert result.toplines["real_target"].mean["similarity_target"] == pytest.approx(1, abs=1e-3)
    assert result.baselines["source"].mean["target_wins"] == 0
    first, second = result.converted.rows
    assert first.similarity_source == pytest.approx(np.cos(1.5), abs=0.01)
    assert second.similarity_source == pytest.approx(np.cos(1.1), abs=0.01)
    assert result.groups["same gender"]["similarity_source"] == first.similarity_source
    assert result.groups["unseen speakers as sources"]["similarity_source"] == second.similarity_source
    assert result.columns == ("similarity_target", "similarity_source", "target_wins", "duration")


def test_no_recording_is_compared_with_itself() -> None:
    mine = references()
    angles = iter(np.linspace(0, 1, 100))

    class EachItsOwn:
        name = "each recording is its own voice"

        def embed(self, heard: NDArray[np.float32]) -> NDArray[np.float32]:
            angle = next(angles)
            return np.array([np.cos(angle), np.sin(angle)], np.float32)

    pair = Pair(mine["anna"][0], "bert")
    result = evaluate(
        [pair], {pair.name: lambda: waveform("bert")}, mine, MetricSet(similarity=EachItsOwn()), resyntheses={}
    )
    source, real = result.baselines["source"].rows[0], result.toplines["real_target"].rows[0]
    assert source.similarity_source is not None
    assert real.similarity_target is not None
    assert max(source.similarity_source, real.similarity_target) < 0.99999


def test_nobody_is_asked_twice_about_a_recording() -> None:
    voice = FakeVoice()
    source = recording("anna", 0)
    pairs = [Pair(source, "bert"), Pair(source, "cora")]
    scored(pairs, MetricSet(similarity=voice))
    # Nine references, one of them the source; the two conversions; one resynthesis of the one source.
    assert voice.asked == 9 + 2 + 1


def test_a_speaker_is_compared_with_the_same_recordings_whoever_else_is_there() -> None:
    many = {name: [recording(name, n) for n in range(30)] for name in SPEAKERS}
    alone = ConversionScorer(MetricSet(), {"cora": many["cora"]}, seed=3)
    among = ConversionScorer(MetricSet(), many, seed=3)
    assert alone.references["cora"] == among.references["cora"]
    assert len(among.references["cora"]) == MOST_REFERENCES


def test_word_errors_are_weighed_by_words() -> None:
    rows = [
        PairMetrics("a", "b", "1", wer=1.0, words=1),
        PairMetrics("a", "b", "2", wer=0.0, words=9),
        PairMetrics("a", "b", "3"),
    ]
    found = means(rows)
    assert found["wer"] == pytest.approx(0.1)
    assert found["dnsmos"] is None


def test_word_errors_without_a_text_are_counted_against_what_is_heard_in_the_source() -> None:
    pair = Pair(recording("anna", 0, None), "bert")
    result = scored([pair], MetricSet(words=FakeRecogniser(["a c", "a b", "x y"])))
    row = result.converted.rows[0]
    assert (row.transcript, row.wer, row.words) == ("a c", 0.5, 2)
    assert result.baselines["source"].rows[0].wer is None
    assert any("no text" in note for note in result.notes)


def test_real_recordings_are_held_against_their_own_words() -> None:
    pair = Pair(recording("anna", 0), "bert")
    result = scored([pair], MetricSet(words=FakeRecogniser(["one two three four", "one", "one", "words of bert 0"])))
    assert result.converted.mean["wer"] == 0
    real = result.real[0]
    assert real.speaker == "bert"
    assert result.toplines["real_target"].rows[0].words == 4


def test_pitch_is_held_against_target_and_source() -> None:
    pairs = [Pair(recording("anna", 0), "bert")]
    row = scored(pairs, MetricSet(pitch=fake_pitch)).converted.rows[0]
    assert row.f0_mean == pytest.approx(360, abs=5)
    assert row.f0_mean_target == pytest.approx(360, abs=5)
    assert row.f0_difference == pytest.approx(0, abs=0.2)
    assert row.f0_correlation == pytest.approx(1, abs=1e-3)
    other = scored(pairs, MetricSet(pitch=fake_pitch), voice="anna").converted.rows[0]
    assert other.f0_difference == pytest.approx(12 * np.log2(360 / 200), abs=0.2)
    real = scored(pairs, MetricSet(pitch=fake_pitch)).toplines["real_target"].rows[0]
    assert real.f0_correlation is None


def test_distortion_is_measured_where_the_target_reads_the_same_words() -> None:
    metric_set = MetricSet(cepstra=lambda one, other: float(np.abs(one[: len(other)] - other[: len(one)]).max()))
    parallel = Pair(recording("anna", 7, "Words of Bert: 1."), "bert")
    alone = Pair(recording("anna", 8, "other words"), "bert")
    result = scored([parallel, alone], metric_set)
    assert [row.mcd is None for row in result.converted.rows] == [False, True]
    assert result.real[0].name == "bert-1"
    assert result.converted.mean["mcd"] == pytest.approx(0, abs=1e-6)
    assert "mcd" in result.columns
    assert any("mel-cepstral" in note for note in scored([alone], metric_set).notes)


def test_a_reconstruction_has_the_source_for_its_topline_and_nothing_to_be_nearer_to() -> None:
    pairs = [Pair(recording(name, 0), name) for name in SPEAKERS]
    result = scored(pairs, MetricSet(similarity=FakeVoice(), cepstra=lambda one, other: 1.5))
    assert result.baselines == {}
    assert [real.name for real in result.real] == ["anna-0", "bert-0", "cora-0"]
    assert result.columns == ("similarity_target", "mcd", "duration")
    assert result.converted.mean["mcd"] == 1.5
    assert result.toplines["real_target"].mean["mcd"] is None


def test_a_speaker_with_one_recording_is_noted() -> None:
    only = {"anna": [recording("anna", 0)], "bert": [recording("bert", 0)]}
    pair = Pair(recording("anna", 0), "bert")
    result = evaluate(
        [pair], {pair.name: lambda: waveform("bert")}, only, MetricSet(similarity=FakeVoice()), resyntheses={}
    )
    assert any("bert" in note for note in result.notes)


@given(
    sources=st.lists(st.sampled_from("abcdef"), min_size=4, max_size=20),
    targets=st.lists(st.sampled_from("uvwxyz"), min_size=1, max_size=4, unique=True),
    number=st.integers(1, 60),
    seed=st.integers(0, 5),
)
def test_pairs_are_balanced(sources: list[str], targets: list[str], number: int, seed: int) -> None:
    recordings = [
        Recording(f"{name}{place}", name, lambda: np.zeros(1, np.float32)) for place, name in enumerate(sources)
    ]
    candidates = [Pair(one, target) for one in recordings for target in targets]
    drawn = balanced(candidates, number, seed=seed)
    assert drawn == balanced(candidates, number, seed=seed)
    assert len(drawn) == len({pair.name for pair in drawn}) == min(number, len(candidates))
    times = Counter(pair.target for pair in drawn)
    assert max(times.values()) - min(times.get(target, 0) for target in targets) <= 1
    # However many recordings a speaker has, one round of speakers comes before the next.
    if number <= len(set(sources)) * len(targets):
        most = Counter((pair.target, pair.source.speaker) for pair in drawn)
        assert max(most.values()) == 1


def test_kinds_of_pair_are_drawn_alike() -> None:
    voices = [("f", True)] * 10 + [("m", True)] * 2 + [("f", False)] * 3 + [("m", False)]
    candidates = [
        Pair(Recording(f"{n}", f"s{n}", lambda: np.zeros(1, np.float32)), target, relation(gender, own), seen)
        for n, (gender, seen) in enumerate(voices)
        for target, own in (("u", "f"), ("v", "m"))
    ]
    kinds = Counter((pair.gender, pair.seen) for pair in balanced(candidates, 8))
    assert set(kinds.values()) == {2}
    assert len(kinds) == 4


@pytest.mark.parametrize(("first", "second", "found"), [("m", "m", "same"), ("m", "f", "cross"), (None, "f", None)])
def test_relation(first: str | None, second: str | None, found: str | None) -> None:
    assert relation(first, second) == found


def test_intervals_hold_the_mean_and_shrink_with_agreement() -> None:
    generator = np.random.default_rng(0)
    rows = [
        PairMetrics("s", f"t{n % 6}", str(n), dnsmos=float(2 + generator.random()), duration=1.0) for n in range(30)
    ]
    found = intervals(rows, ("dnsmos", "duration", "mcd"))
    mean = means(rows)["dnsmos"]
    assert mean is not None
    low, high = found.bounds["dnsmos"]
    assert low < mean < high
    assert found.bounds["duration"] == (1, 1)
    assert "mcd" not in found.bounds
    assert (found.unit, found.units) == ("speakers", 6)
    few = intervals([replace(row, target="t") for row in rows], ("dnsmos",))
    assert (few.unit, few.units) == ("utterances", 30)
    assert intervals(rows[:1], ("dnsmos",)).unit is None


def test_intervals_are_those_of_every_other_report() -> None:
    """Against a plain loop over draws of targets: percentiles, moved so that their median is the figure."""
    generator = np.random.default_rng(0)
    rows = [
        PairMetrics("s", f"t{n % 7}", str(n), dnsmos=float(generator.exponential()), duration=1.0) for n in range(40)
    ]
    found = intervals(rows, ("dnsmos",), seed=3)
    weights = np.random.default_rng(3).multinomial(7, np.full(7, 1 / 7), size=1000)
    drawn = []
    for counts in weights:
        values = [row.dnsmos for row in rows for _ in range(counts[int(row.target[1:])]) if row.dnsmos is not None]
        drawn.append(sum(values) / len(values))
    low, middle, high = np.quantile(drawn, [0.025, 0.5, 0.975])
    mean = means(rows)["dnsmos"]
    assert mean is not None
    assert found.bounds["dnsmos"] == pytest.approx((mean + low - middle, mean + high - middle))


def full_result() -> Result:
    pairs = [
        Pair(recording(source, 0), target, "same" if source == "anna" else "cross", source == "bert")
        for source, target in [("anna", "cora"), ("bert", "cora"), ("cora", "anna")]
    ]
    metric_set = MetricSet(
        similarity=FakeVoice(), words=FakeRecogniser(["one two nine <b>&"]), quality=FakeQuality(), pitch=fake_pitch,
        cepstra=lambda one, other: 5.0,
    )  # fmt: skip
    return scored(pairs, metric_set)


ABOUT = conversion_report.About("A <report>", "conversion", "model", 0, {"data": "some/where"}, ("a note",))


def test_results_are_json_with_a_row_a_pair_and_a_mean() -> None:
    result = full_result()
    found = json.loads(json.dumps(conversion_report.results(result, ABOUT), allow_nan=False))
    wanted = {
        "similarity_target",
        "similarity_source",
        "target_wins",
        "wer",
        "dnsmos",
        "f0_mean",
        "f0_mean_target",
        "mcd",
        "duration",
    }
    assert wanted <= set(found["mean"])
    assert len(found["rows"]) == 3
    for row in found["rows"]:
        assert wanted | {"source", "target", "utterance"} <= set(row)
    assert set(found["baselines"]) == {"source"}
    assert {"real_target", "same"} == set(found["toplines"])
    assert found["about"]["notes"][0] == "a note"


def test_what_no_metric_measured_is_left_out() -> None:
    result = scored(
        [Pair(recording("anna", 0), "bert")], MetricSet(quality=FakeQuality(), missing=("get x (pip install x)",))
    )
    found = conversion_report.results(result, ABOUT)
    assert set(found["mean"]) == {"dnsmos", "duration"}
    assert "wer" not in found["rows"][0]
    table = conversion_report.table(result, ABOUT)
    assert "WER" not in table
    assert "note: get x (pip install x)" in table


def test_the_table_puts_the_system_between_baselines_and_topline() -> None:
    table = conversion_report.table(full_result(), ABOUT)
    lines = [line.split("  ")[0] for line in table.splitlines()]
    assert lines.index("source as it is") < lines.index("converted") < lines.index("real target")
    assert "MCD" not in table, "no target read the same words"


def test_the_page_holds_all_it_needs_and_escapes_what_it_shows() -> None:
    pytest.importorskip("matplotlib")
    result = full_result()
    wave = waveform("anna")
    shown = [conversion_page.Example(row, "one two three", wave, wave, wave) for row in result.converted.rows[:2]]
    page = conversion_page.page(result, ABOUT, shown)
    assert page.count("<audio") == 6
    assert 'src="data:audio/flac;base64,' in page
    assert 'src="http' not in page
    assert 'href="http' not in page
    assert "<report>" not in page
    assert "<mark>" in page
    assert "<b>&amp;" not in page


def test_the_page_stays_small(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    result = full_result()
    wave = waveform("anna")
    monkeypatch.setattr(conversion_page, "_MOST_CHARACTERS", 1)
    shown = [conversion_page.Example(row, None, wave, wave, wave) for row in result.converted.rows]
    assert conversion_page.page(result, ABOUT, shown).count("<audio") == 3


def test_every_figure_is_a_field_of_a_row_and_has_a_heading() -> None:
    assert set(FIGURES) <= {one.name for one in fields(PairMetrics)}
    assert len(conversion_report.headings(FIGURES)) == len(FIGURES)
