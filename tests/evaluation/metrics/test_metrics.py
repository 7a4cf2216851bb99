"""Metrics of speech: each alone, the optional ones where they are installed."""

from __future__ import annotations

import builtins
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from vqspeech.errors import InputError
from vqspeech.evaluation import metrics
from vqspeech.evaluation.conversion.toplines import griffin_lim, mu_law_round_trip
from vqspeech.evaluation.metrics import f0 as pitch
from vqspeech.evaluation.metrics import mcd
from vqspeech.evaluation.metrics.text_normalisation import plain_words, whisper_normaliser

RATE = 16_000


def buzz(hertz: float | NDArray[np.float64], *, seconds: float = 1.0, tilt: float = 1.0) -> NDArray[np.float32]:
    """Harmonics up to 4 kHz, the n-th of amplitude ``n ** -tilt``: voiced, and of a known F0."""
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(hertz, round(seconds * RATE))) / RATE
    count = int(4000 / np.max(hertz))
    wave = sum(np.sin(n * phase) / n**tilt for n in range(1, count + 1))
    return (0.1 * np.asarray(wave)).astype(np.float32)


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("Hello, World!", "hello world"),
        ("SIX O'CLOCK", "six oclock"),
        ("it\N{RIGHT SINGLE QUOTATION MARK}s", "its"),
        ("well-known", "well known"),
        ("a [noise] b", "a b"),
        ("café", "cafe"),
        ("6 men", "6 men"),
        ("...", ""),
    ],
)
def test_plain_words(written: str, plain: str) -> None:
    assert plain_words(written) == plain


@given(st.text())
def test_plain_words_do_not_change_again(text: str) -> None:
    assert plain_words(plain_words(text)) == plain_words(text)


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("en", "Mr. Smith isn't twenty-one", "mister smith is not 21"),
        ("en", "the colour, uh, of   fifty percent", "the color of 50%"),
        ("en", "[noise] all right", "all right"),
        ("fr", "Où est-ce ?", "où est ce"),
    ],
)
def test_spelling_is_no_word_error(language: str, one: str, other: str) -> None:
    pytest.importorskip("whisper_normalizer")
    normalise = whisper_normaliser(language)
    assert normalise(one) == normalise(other) != ""
    assert normalise("?!") == ""


@pytest.mark.parametrize("hertz", [80.0, 120.0, 210.0, 350.0])
def test_f0_of_a_steady_voice(hertz: float) -> None:
    found = pitch.contour(buzz(hertz))
    assert found.mean == pytest.approx(hertz, rel=0.01)
    assert found.range == pytest.approx(0, abs=0.2)


def test_the_range_is_in_semitones() -> None:
    octave = 100 * 2 ** np.linspace(0, 1, 2 * RATE)
    found = pitch.contour(buzz(octave, seconds=2))
    assert found.range == pytest.approx(0.9 * 12, abs=0.6)


@pytest.mark.parametrize("samples", [1, 160, RATE])
def test_silence_has_no_f0(samples: int) -> None:
    found = pitch.contour(np.zeros(samples, np.float32))
    assert found.mean is None
    assert found.range is None
    assert pitch.correlation(found, pitch.contour(buzz(100))) is None


def test_contours_that_move_together_correlate_whatever_their_height() -> None:
    wave = np.sin(2 * np.pi * 1.5 * np.arange(2 * RATE) / RATE)
    low, high, against = (
        pitch.contour(buzz(f0, seconds=2)) for f0 in (100 * 1.2**wave, 200 * 1.2**wave, 150 / 1.2**wave)
    )
    together, apart = pitch.correlation(low, high), pitch.correlation(low, against)
    assert together is not None
    assert apart is not None
    assert together > 0.95
    assert apart < -0.9


def test_a_reading_is_no_distance_from_itself_however_loud_and_however_much_silence_is_around_it() -> None:
    voice = buzz(np.linspace(100, 160, RATE))
    moved = np.concatenate([np.zeros(4000, np.float32), 0.3 * voice, np.zeros(3000, np.float32)])
    assert mcd.distortion(voice, voice) == pytest.approx(0, abs=1e-6)
    assert mcd.distortion(voice, moved) < 2.0 < mcd.distortion(voice, buzz(np.linspace(100, 160, RATE), tilt=0.2))


def test_distortion_is_the_distance_of_smoothed_spectra_in_decibels() -> None:
    generator = np.random.default_rng(0)
    one, other = generator.standard_normal((2, mcd.ORDER))
    # Log spectra with these coefficients, over a mel axis of the package's own number of bands.
    bands = mcd._BANDS
    axis = np.arange(bands) + 0.5
    basis = np.cos(np.pi * np.outer(np.arange(1, mcd.ORDER + 1), axis) / bands) * np.sqrt(2 / bands)
    difference = (one - other) @ basis
    root_mean_square = np.sqrt((difference**2).mean()) * 20 / np.log(10)
    assert 20 / np.log(10) * np.sqrt(((one - other) ** 2).sum() / bands) == pytest.approx(root_mean_square)


def test_resyntheses_keep_length_and_pitch() -> None:
    voice = buzz(130.0, seconds=0.7)
    for change in (mu_law_round_trip, griffin_lim):
        made = change(voice)
        assert made.shape == voice.shape
        assert made.dtype == np.float32
        assert pitch.contour(made).mean == pytest.approx(130, rel=0.02)


def test_a_metric_that_is_not_installed_is_named_with_its_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = {"resemblyzer", "webrtcvad", "faster_whisper", "jiwer", "whisper_normalizer", "speechmos", "pocketsphinx"}
    imported = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.split(".")[0] in absent:
            raise ImportError(name)
        return imported(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    scorer = metrics.load()
    assert scorer.similarity is scorer.words is scorer.quality is None
    assert scorer.pitch is not None
    assert scorer.cepstra is not None
    assert len(scorer.missing) == 3
    assert all("pip install 'vqspeech[" in sentence for sentence in scorer.missing)
    with_whisper = metrics.load(["words"], whisper="base.en").missing
    assert "faster-whisper" in with_whisper[0]


def test_only_the_metrics_that_are_wanted_are_loaded() -> None:
    scorer = metrics.load(["pitch"])
    assert scorer.pitch is not None
    assert scorer.cepstra is scorer.words is None
    assert scorer.missing == ()


def test_a_folder_that_is_no_whisper_model_is_bad_input(tmp_path: Path) -> None:
    pytest.importorskip("faster_whisper")
    pytest.importorskip("jiwer")
    pytest.importorskip("whisper_normalizer")
    with pytest.raises(InputError, match=r"model\.bin"):
        metrics.load(["words"], whisper=str(tmp_path))


def whisper_stand_in(monkeypatch: pytest.MonkeyPatch, *, multilingual: bool) -> list[dict[str, Any]]:
    """A faster_whisper whose model transcribes everything alike; the arguments that it was given."""
    given: list[dict[str, Any]] = []

    class WhisperModel:
        def __init__(self, name: str, **options: Any) -> None:
            if name == "absent":
                raise RuntimeError("no such\nmodel")
            given.append({"name": name, **options})
            self.model = SimpleNamespace(is_multilingual=multilingual)

        def transcribe(self, waveform: NDArray[np.float32], **options: Any) -> tuple[list[Any], None]:
            assert waveform.dtype == np.float32
            given.append(options)
            return [SimpleNamespace(text=" Two "), SimpleNamespace(text=" dogs.")], None

    monkeypatch.setitem(sys.modules, "faster_whisper", SimpleNamespace(WhisperModel=WhisperModel))
    return given


@pytest.mark.parametrize(("multilingual", "language"), [(True, "fr"), (False, "en")])
def test_whisper_decodes_without_sampling_in_the_language_of_the_speech(
    monkeypatch: pytest.MonkeyPatch, multilingual: bool, language: str
) -> None:
    pytest.importorskip("jiwer")
    pytest.importorskip("whisper_normalizer")
    given = whisper_stand_in(monkeypatch, multilingual=multilingual)
    recogniser = metrics.load(["words"], whisper="base", language="fr").words
    assert recogniser is not None
    assert recogniser.transcribe(np.zeros(160)) == "Two dogs."
    assert given[0]["name"] == "base"
    assert (given[1]["temperature"], given[1]["language"]) == (0.0, language)


def test_a_whisper_model_that_cannot_be_loaded_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("jiwer")
    pytest.importorskip("whisper_normalizer")
    whisper_stand_in(monkeypatch, multilingual=True)
    with pytest.raises(InputError, match="no such model"):
        metrics.load(["words"], whisper="absent")


def test_word_errors_are_counted_after_normalisation() -> None:
    pytest.importorskip("jiwer")
    pytest.importorskip("whisper_normalizer")
    pytest.importorskip("pocketsphinx")
    recogniser = metrics.load(["words"]).words
    assert recogniser is not None
    errors = recogniser.errors("MISTER SMITH HAS TWO DOGS", "Mr. Smith had 2 big dogs.")
    assert errors is not None
    assert (errors.errors, errors.words) == (2, 5)
    assert errors.rate == 0.4
    assert recogniser.errors("...", "something") is None


def test_pocketsphinx_takes_silence() -> None:
    pytest.importorskip("jiwer")
    pytest.importorskip("whisper_normalizer")
    pytest.importorskip("pocketsphinx")
    recogniser = metrics.load(["words"]).words
    assert recogniser is not None
    assert isinstance(recogniser.transcribe(np.zeros(8000, np.float32)), str)


@pytest.mark.parametrize("samples", [1, 1600, 3 * RATE])
def test_resemblyzer_embeds_any_length_and_silence(samples: int) -> None:
    pytest.importorskip("resemblyzer")
    metric = metrics.load(["similarity"]).similarity
    assert metric is not None
    for waveform in (np.zeros(samples, np.float32), buzz(120, seconds=samples / RATE)):
        voice = metric.embed(waveform)
        assert voice.shape == (256,)
        assert np.linalg.norm(voice) == pytest.approx(1, abs=1e-3)


def test_dnsmos_is_between_one_and_five() -> None:
    pytest.importorskip("speechmos")
    pytest.importorskip("onnxruntime")
    metric = metrics.load(["quality"]).quality
    assert metric is not None
    assert 1 <= metric.score(3 * buzz(120)) <= 5
