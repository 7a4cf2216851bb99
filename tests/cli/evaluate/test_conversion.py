"""``vqspeech evaluate conversion`` and ``evaluate reconstruction`` as a user types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from vqspeech.cli.main import main
from vqspeech.datadir import DataDir, Utterance
from vqspeech.evaluation import metrics
from vqspeech.evaluation.metrics.f0 import Contour

GENDERS = {"anna": "f", "bert": "m", "s-1": "f"}


@pytest.fixture
def data(tmp_path: Path) -> str:
    """Two utterances of each of the model's voices and of a stranger, 0.1 s each."""
    generator = np.random.default_rng(0)
    utterances = []
    for speaker, gender in GENDERS.items():
        for number in range(2):
            path = tmp_path / f"{speaker}-{number}.flac"
            soundfile.write(path, 0.1 * generator.standard_normal(1600), 16_000)
            utterances.append(
                Utterance(f"{speaker}-{number}", speaker, str(path), text=f"word {number}", gender=gender, duration=0.1)
            )
    DataDir(utterances).write(tmp_path / "data")
    return str(tmp_path / "data")


class FakeVoice:
    name = "fake voice"

    def embed(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.array([1.0, np.tanh(float(waveform[0]))], np.float32)


class FakeQuality:
    name = "fake quality"

    def score(self, waveform: NDArray[np.float32]) -> float:
        return 2.5


@pytest.fixture(autouse=True)
def quick_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    """Metrics that are quick and always there; the recogniser is missing."""

    def load(names: Any, **options: Any) -> metrics.MetricSet:
        flat = Contour(np.full(5, 100.0), np.arange(5) / 100)
        return metrics.MetricSet(
            similarity=FakeVoice(),
            quality=FakeQuality(),
            pitch=lambda waveform: flat,
            missing=("the word error rate needs jiwer (pip install 'vqspeech[judge]')",),
        )

    monkeypatch.setattr(metrics, "load", load)


def results(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "RESULTS.json").read_text())
    return found


def test_a_model_is_measured(tmp_path: Path, model: str, data: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "report"
    words = ["evaluate", "conversion", "--data", data, "--model", model, "--pairs", "4", "--out", str(out)]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "real target" in said
    assert "pip install 'vqspeech[judge]'" in said
    found = results(out)
    assert len(found["rows"]) == 4
    assert {row["target"] for row in found["rows"]} == {"anna", "bert"}
    assert {row["gender"] for row in found["rows"]} == {"same", "cross"}
    assert {row["seen"] for row in found["rows"]} == {True, False}
    assert found["mean"]["dnsmos"] == 2.5
    assert "wer" not in found["mean"]
    assert set(found["baselines"]) == {"source"}
    assert set(found["toplines"]) == {"mu_law", "griffin_lim", "real_target"}
    for row in found["rows"]:
        assert soundfile.info(out / "wav" / f"{row['utterance']}-{row['target']}.wav").frames == 1600
    page = (out / "report.html").read_text()
    assert page.count("<audio") == 12


def test_what_is_converted_is_not_converted_again(tmp_path: Path, model: str, data: str) -> None:
    out = tmp_path / "report"
    words = ["evaluate", "conversion", "--data", data, "--model", model, "--pairs", "3", "--out", str(out)]
    assert main(words) == 0
    first, second, *_ = sorted((out / "wav").glob("*.wav"))
    before = first.stat().st_mtime_ns
    second.unlink()
    assert main(words) == 0
    assert first.stat().st_mtime_ns == before
    assert second.exists()


def test_conversions_of_another_model_are_not_taken_for_this_ones(
    tmp_path: Path, model: str, data: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report"
    words = ["evaluate", "conversion", "--data", data, "--model", model, "--pairs", "1", "--out", str(out)]
    assert main(words) == 0
    assert main([*words, "--temperature", "0.5"]) == 2
    assert "another temperature" in capsys.readouterr().err
    assert main([*words, "--temperature", "0.5", "--force"]) == 0


def test_a_reconstruction_is_of_the_speakers_the_model_knows(tmp_path: Path, model: str, data: str) -> None:
    out = tmp_path / "report"
    assert main(["evaluate", "reconstruction", "--data", data, "--model", model, "--out", str(out)]) == 0
    found = results(out)
    assert {(row["source"], row["target"]) for row in found["rows"]} == {("anna", "anna"), ("bert", "bert")}
    assert len(found["rows"]) == 4
    assert "target_wins" not in found["mean"]
    assert "source" not in found["baselines"]


def test_files_of_any_other_system_are_measured(tmp_path: Path, data: str) -> None:
    converted = tmp_path / "theirs"
    converted.mkdir()
    for name in ("anna-0-bert", "anna-1-s-1", "s-1-0-anna", "unknown-0-anna"):
        soundfile.write(converted / f"{name}.wav", 0.1 * np.ones(1700), 16_000)
    out = tmp_path / "report"
    assert main(["evaluate", "conversion", "--data", data, "--converted", str(converted), "--out", str(out)]) == 0
    found = results(out)
    assert {(row["utterance"], row["target"]) for row in found["rows"]} == {
        ("anna-0", "bert"), ("anna-1", "s-1"), ("s-1-0", "anna"),
    }  # fmt: skip
    assert all(row["seen"] is None for row in found["rows"])
    assert not (out / "wav").exists()


def test_targets_may_have_their_recordings_elsewhere(tmp_path: Path, model: str, data: str) -> None:
    whole = DataDir.read(data)
    whole.subset(lambda u: u.speaker == "s-1").write(tmp_path / "sources")
    out = tmp_path / "report"
    words = ["evaluate", "conversion", "--data", str(tmp_path / "sources"), "--model", model, "--out", str(out)]
    assert main([*words, "--references", data, "--targets", "bert"]) == 0
    assert {(row["source"], row["target"]) for row in results(out)["rows"]} == {("s-1", "bert")}


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--targets", "nobody"], "no speaker 'nobody'"),
        (["--pairs", "0"], "argument --pairs"),
        (["--converted", "nowhere"], "no such folder"),
    ],
)
def test_bad_input_is_one_line(
    tmp_path: Path, model: str, data: str, words: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "report")
    assert main(["evaluate", "conversion", "--data", data, "--model", model, "--out", out, *words]) == 2
    error = capsys.readouterr().err
    assert problem in error
    assert error.count("\n") == 1


def test_targets_without_a_recording_are_named_with_the_cure(
    tmp_path: Path, model: str, data: str, capsys: pytest.CaptureFixture[str]
) -> None:
    DataDir.read(data).subset(lambda u: u.speaker == "s-1").write(tmp_path / "sources")
    words = ["evaluate", "conversion", "--data", str(tmp_path / "sources"), "--model", model, "--out", str(tmp_path)]
    assert main(words) == 2
    assert "--references" in capsys.readouterr().err
    assert main([*words, "--targets", "bert"]) == 2
    assert "no recording of bert" in capsys.readouterr().err


def test_without_a_folder_there_is_nowhere_to_convert_to(
    model: str, data: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "conversion", "--data", data, "--model", model]) == 2
    assert "--out" in capsys.readouterr().err


def test_a_folder_with_nothing_of_the_data_says_how_to_name_files(
    tmp_path: Path, data: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "theirs").mkdir()
    soundfile.write(tmp_path / "theirs" / "song.wav", np.zeros(100), 16_000)
    assert main(["evaluate", "conversion", "--data", data, "--converted", str(tmp_path / "theirs")]) == 2
    error = capsys.readouterr().err
    assert "song.wav" in error
    assert "<utterance>-<target>.wav" in error
