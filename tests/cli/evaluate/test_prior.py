"""``vqspeech evaluate prior`` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from small_priors import make_prior

import vqspeech
from vqspeech import codes
from vqspeech.cli.main import main
from vqspeech.codes import CodeInfo, Codes
from vqspeech.datadir import DataDir, Utterance
from vqspeech.evaluation.prior import words as prior_words
from vqspeech.evaluation.prior.words import Transcript
from vqspeech.model.prior.checkpoint import load_prior, save_prior
from vqspeech.model.prior.scoring import code_bits

FRAMES = 40


@pytest.fixture(scope="module")
def info(model: str) -> CodeInfo:
    return vqspeech.load(model).code_info


def walk(generator: np.random.Generator, size: int, frames: int) -> NDArray[np.int32]:
    """Codes that mostly follow one another."""
    steps = generator.choice([0, 1, 2], frames, p=[0.3, 0.6, 0.1])
    return ((generator.integers(size) + np.cumsum(steps)) % size).astype(np.int32)


@pytest.fixture
def files(tmp_path: Path, info: CodeInfo) -> dict[str, str]:
    """Codes of training, held-out speech and samples; scores; recordings; spoken samples."""
    generator = np.random.default_rng(0)
    parts = {"train": 20, "test": 12, "samples": 3}
    sequences = {}
    for part, number in parts.items():
        sequences[part] = {
            f"s{n % 6}-{part}{n}": walk(generator, info.codebook_size, FRAMES + n) for n in range(number)
        }
        codes.write(tmp_path / f"{part}.txt", Codes(info, sequences[part]))
    (tmp_path / "scores.txt").write_text(
        "".join(f"{name} {1.5 * len(one)} {len(one)}\n" for name, one in sequences["test"].items())
    )
    utterances = []
    (tmp_path / "wavs").mkdir()
    for name in sequences["test"]:
        path = tmp_path / f"{name}.wav"
        soundfile.write(path, 0.1 * generator.standard_normal(16_000), 16_000)
        utterances.append(Utterance(name, name.split("-")[0], str(path), duration=1.0))
    for name in sequences["samples"]:
        soundfile.write(tmp_path / "wavs" / f"{name}.wav", 0.1 * generator.standard_normal(8000), 16_000)
    DataDir(utterances).write(tmp_path / "data")
    names = ("train.txt", "test.txt", "samples.txt", "scores.txt", "data", "wavs")
    return {name.removesuffix(".txt"): str(tmp_path / name) for name in names}


class FakeListener:
    name = "fake listener"
    closed = False

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def listen(self, waveform: NDArray[np.float32]) -> Transcript:
        return Transcript("a blick", -2.0, 2, len(waveform) / 16_000)


@pytest.fixture(autouse=True)
def listener(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recogniser that is quick, and a dictionary that is small."""
    monkeypatch.setattr(prior_words, "WhisperListener", FakeListener)
    monkeypatch.setattr(prior_words, "dictionary", lambda path=None: frozenset({"a"}))


def results(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "RESULTS.json").read_text())
    return found


def ask(files: dict[str, str], *words: str) -> list[str]:
    return ["evaluate", "prior", "--codes", files["test"], "--train-codes", files["train"], *words]


def test_a_prior_is_set_beside_ngrams(
    tmp_path: Path, files: dict[str, str], info: CodeInfo, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report"
    assert main(ask(files, "--scores", files["scores"], "--out", str(out))) == 0
    found = results(out)
    assert found["bits_per_code"] == pytest.approx(1.5)
    assert found["bits_per_second"] == pytest.approx(1.5 / info.frame_period)
    assert found["codebook_bits"] == pytest.approx(np.log2(info.codebook_size))
    for name in ("unigram", "bigram", "trigram"):
        assert found["saved_bits_per_code"][name] == pytest.approx(found[f"{name}_bits_per_code"] - 1.5)
    assert found["bigram_bits_per_code"] < found["unigram_bits_per_code"]
    assert found["intervals"]["resampled"] == "speakers"
    assert "samples" not in found["systems"]
    said = capsys.readouterr().out
    assert "1.500 bits per code" in said
    assert "trigram" in said
    assert "<svg" in (out / "report.html").read_text()


def test_ngrams_alone_and_of_any_order(tmp_path: Path, files: dict[str, str]) -> None:
    assert main(ask(files, "--order", "5", "--out", str(tmp_path / "report"))) == 0
    found = results(tmp_path / "report")
    assert "bits_per_code" not in found
    assert found["5-gram_bits_per_code"] > 0


def test_samples_are_measured_beside_real_codes(tmp_path: Path, files: dict[str, str]) -> None:
    out = tmp_path / "report"
    words = ["--samples", files["samples"], "--sample-wavs", files["wavs"], "--data", files["data"], "--whisper", "x"]
    assert main(ask(files, "--scores", files["scores"], *words, "--out", str(out))) == 0
    systems = results(out)["systems"]
    assert set(systems) == {"samples", "ngram", "real", "shuffled", "recording", "reversed"}
    for name in ("samples", "ngram", "real", "shuffled"):
        assert {"repeated_4", "mean_run", "js_bigram"} <= set(systems[name])
        assert ("copied" in systems[name]) == (name != "shuffled")
    assert len(systems["samples"]["nearest"]) == 3
    for name in ("samples", "recording", "reversed"):
        assert systems[name]["in_dictionary"] == 0.5
        assert systems[name]["confidence"] == -1
    page = (out / "report.html").read_text()
    assert page.count("<audio") == 3 + 2 + 2
    assert "recognised: a blick" in page
    assert "http" not in page.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "http://creativecommons.org", ""
    ).replace("https://matplotlib.org", "")


def test_the_model_speaks_all_that_is_compared(tmp_path: Path, files: dict[str, str], model: str) -> None:
    out = tmp_path / "report"
    words = ["--samples", files["samples"], "--speak", "--model", model, "--whisper", "x", "--out", str(out)]
    assert main(ask(files, *words)) == 0
    systems = results(out)["systems"]
    assert all("words_per_second" in one for one in systems.values())
    assert set(systems) == {"samples", "ngram", "real", "shuffled", "reversed"}
    assert len(list((out / "wav").glob("*.wav"))) == 4 * 3


def test_a_prior_scores_and_draws(tmp_path: Path, files: dict[str, str], info: CodeInfo) -> None:
    save_prior(make_prior(codes=info.codebook_size, speakers=("s0", "s1")), tmp_path / "prior")
    words = ["--prior", str(tmp_path / "prior"), "--count", "2", "--seconds", str(30 * info.frame_period)]
    held_out = codes.read(files["test"]).sequences
    prior = load_prior(tmp_path / "prior")
    (tmp_path / "utt2spk").write_text("".join(f"{name} {name.split('-')[0]}\n" for name in held_out))
    for tell in ([], ["--condition-on-speaker", "--utt2spk", str(tmp_path / "utt2spk")]):
        assert main(ask(files, *words, *tell, "--out", str(tmp_path / "report"))) == 0
        found = results(tmp_path / "report")
        known = [("s0", "s1").index(name[:2]) if tell and name[:2] in ("s0", "s1") else 2 for name in held_out]
        bits = np.concatenate(code_bits(prior, list(held_out.values()), known))
        assert found["bits_per_code"] == pytest.approx(float(bits.mean()), rel=1e-4)
        assert found["about"]["compared_codes"] == 30
        assert list(found["systems"]["samples"]["nearest"]) == ["sample-001", "sample-002"]


def test_a_prior_of_other_codes_is_refused(
    tmp_path: Path, files: dict[str, str], info: CodeInfo, capsys: pytest.CaptureFixture[str]
) -> None:
    save_prior(make_prior(codes=info.codebook_size + 1), tmp_path / "prior")
    assert main(ask(files, "--prior", str(tmp_path / "prior"))) == 2
    assert "name the prior of these codes" in capsys.readouterr().err


def test_a_metric_that_is_missing_is_named(
    tmp_path: Path, files: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from vqspeech.errors import MissingExtraError

    def missing(*_: Any, **__: Any) -> None:
        raise MissingExtraError("faster-whisper", extra="judge", purpose="listening")

    monkeypatch.setattr(prior_words, "WhisperListener", missing)
    words = [
        "--samples",
        files["samples"],
        "--data",
        files["data"],
        "--whisper",
        "x",
        "--out",
        str(tmp_path / "report"),
    ]
    assert main(ask(files, *words)) == 0
    assert "pip install 'vqspeech[judge]'" in capsys.readouterr().out
    assert "words_per_second" not in results(tmp_path / "report")["systems"]["recording"]


def test_held_out_speech_that_was_trained_on_is_told_of(
    files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "prior", "--codes", files["test"], "--train-codes", files["train"], files["test"]]) == 0
    assert "12 held-out utterances in the training codes too" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--order", "0"], "--order"),
        (["--order", "6"], "argument --order"),
        (["--count", "0"], "--count"),
        (["--seconds", "nan"], "--seconds"),
        (["--sample-wavs", "x"], "--samples"),
        (["--speak"], "give --prior or --samples"),
        (["--condition-on-speaker"], "--prior"),
    ],
)
def test_bad_options_are_told_of(
    files: dict[str, str], words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(ask(files, *words)) == 2
    assert said in capsys.readouterr().err


def test_codes_of_two_systems_are_refused(
    tmp_path: Path, files: dict[str, str], info: CodeInfo, capsys: pytest.CaptureFixture[str]
) -> None:
    other = CodeInfo(info.codebook_size, 2 * info.frame_period, info.offset)
    codes.write(tmp_path / "other.txt", Codes(other, {"u": np.zeros(4, np.int32)}))
    assert main(["evaluate", "prior", "--codes", files["test"], "--train-codes", str(tmp_path / "other.txt")]) == 2
    assert "frame_period" in capsys.readouterr().err
    codes.write(tmp_path / "none.txt", Codes(info, {}))
    assert main(["evaluate", "prior", "--codes", str(tmp_path / "none.txt"), "--train-codes", files["train"]]) == 2
    assert "no codes in it" in capsys.readouterr().err


def test_a_sample_without_its_speech_is_told_of(
    tmp_path: Path, files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert main(ask(files, "--samples", files["samples"], "--sample-wavs", str(tmp_path / "empty"))) == 2
    assert "no speech of sample" in capsys.readouterr().err
