"""What ``convert`` and ``decode`` share: groups of utterances, a voice for each, interruptions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

import vqspeech
from vqspeech.cli.common.synthesis import Speech, synthesise
from vqspeech.cli.main import main
from vqspeech.generation.native_engine import NativeSession

HOP = 64


@pytest.fixture(scope="module")
def loaded(model: str) -> vqspeech.Model:
    return vqspeech.load(model)


def speeches(folder: Path, lengths: list[int]) -> list[Speech]:
    return [Speech(np.arange(n, dtype=np.int32) % 9, None, str(folder / f"{i}.wav")) for i, n in enumerate(lengths)]


def heard(speech: Speech) -> np.ndarray:
    waveform: np.ndarray = soundfile.read(speech.target, dtype="float32")[0]
    return waveform


def test_each_utterance_may_have_a_voice_of_its_own(loaded: vqspeech.Model, tmp_path: Path) -> None:
    said, voices = speeches(tmp_path, [8, 5, 8]), ["anna", "bert", "bert"]
    synthesise(loaded, said, iter(voices), seed=1, temperature=1.0)
    for speech, voice in zip(said, voices, strict=True):
        expected = loaded.decode(speech.codes, voice, seed=1)
        np.testing.assert_allclose(heard(speech), expected.clip(-1, 1), atol=1 / 32768)


def test_groups_are_written_one_after_the_other(
    loaded: vqspeech.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Of 4 ms per code: each group ends with the utterance that fills 8 ms for each stream.
    monkeypatch.setattr("vqspeech.cli.common.synthesis._STREAM_SECONDS", 0.008)
    width = loaded.engine.width
    said = speeches(tmp_path, [width, width, 3 * width, 1])
    synthesise(loaded, said, "anna", seed=1, temperature=1.0)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        f"2 files, the last of them {said[1].target}",
        said[2].target,
        said[3].target,
    ]
    assert all("x real time" in line for line in lines)
    assert [len(heard(speech)) for speech in said] == [HOP * len(speech.codes) for speech in said]


def test_interrupted_in_a_long_file_nothing_half_written_is_left(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = []

    def interrupted(*_: object) -> None:
        calls.append(1)
        raise KeyboardInterrupt

    monkeypatch.setattr("vqspeech.generation.chunks.SHORTEST", 0.1)
    monkeypatch.setattr("vqspeech.generation.chunks.LONGEST", 0.2)
    monkeypatch.setattr(NativeSession, "push", interrupted)
    monkeypatch.setattr("vqspeech.generation.torch_engine.TorchSession.push", interrupted)
    soundfile.write(tmp_path / "a.wav", 0.1 * np.random.default_rng(1).standard_normal(16_000), 16_000)
    words = ["convert", "--src", str(tmp_path / "a.wav"), "--speaker", "anna", "--model", model]
    assert main(words) == 130
    assert capsys.readouterr().err == "vqspeech convert: interrupted\n"
    assert len(calls) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["a.wav"]
