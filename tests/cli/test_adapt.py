"""``adapt`` as a user types it: a folder of recordings becomes one more voice of a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import vqspeech
from vqspeech.cli.main import main
from vqspeech.datadir import DataDir, Utterance
from vqspeech.model.speaker_conditioning import SpeakerAdapter
from vqspeech.training.adaptation import fit, segments

RATE = 16_000


def write_speech(folder: Path, seconds: tuple[float, ...] = (12.0, 6.0)) -> Path:
    """WAV files of a buzz that comes and goes."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, duration in enumerate(seconds):
        time = np.arange(round(duration * RATE)) / RATE
        buzz = np.sign(np.sin(2 * np.pi * 140 * time)) * (1.1 + np.sin(2 * np.pi * 3 * time))
        soundfile.write(folder / f"take{number}.wav", 0.05 * buzz, RATE)
    return folder


def write_data(folder: Path, speakers: tuple[str, ...]) -> Path:
    """A data directory of the speech of each speaker."""
    utterances = []
    for speaker in speakers:
        files = sorted(write_speech(folder / speaker).iterdir())
        utterances += [Utterance(id=f"{speaker}-{f.stem}", speaker=speaker, recording=str(f)) for f in files]
    DataDir(utterances).write(folder / "data")
    return folder / "data"


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "CROP", 256)
    monkeypatch.setattr(segments, "BATCH", 2)
    monkeypatch.setattr(fit, "EVALUATE_EVERY", 2)
    monkeypatch.setattr(segments, "HELD_OUT_SEGMENTS", 2)
    monkeypatch.setattr(segments, "NEAREST_SEGMENTS", 1)


def adapt(model: str, data: Path, out: Path, *words: str, speaker: str = "me") -> int:
    given = ["--model", model, "--data", str(data), "--speaker", speaker, "--out", str(out)]
    return main(["adapt", *given, "--steps", "4", "--threads", "1", *words])


def test_a_folder_of_recordings_becomes_a_voice(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "mine"
    assert adapt(model, write_speech(tmp_path / "takes"), out) == 0
    said = capsys.readouterr()
    assert "nats per sample held out" in said.out
    assert "in the nearest voice" in said.out
    assert "step 4/4" in said.err
    first, second = vqspeech.load(model, engine="torch"), vqspeech.load(out, engine="torch")
    assert second.speakers == ("anna", "bert", "me")
    codes = np.arange(4)
    for voice in first.speakers:
        np.testing.assert_array_equal(first.decode(codes, voice), second.decode(codes, voice))
    assert second.decode(codes, "me").shape == first.decode(codes, "anna").shape
    # Nothing is left beside it.
    assert [path.name for path in out.parent.iterdir()] == ["mine"]
    beside = tmp_path / "beside"
    beside.mkdir()
    assert out.stat().st_mode == beside.stat().st_mode


def test_the_card_says_what_it_was_made_from(model: str, tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    for file in Path(model).iterdir():
        (base / file.name).write_bytes(file.read_bytes())
    (base / "README.md").write_text("# The first\n\n## Licence\n\nCC BY\n")
    assert adapt(str(base), write_speech(tmp_path / "takes"), tmp_path / "mine") == 0
    card = (tmp_path / "mine" / "README.md").read_text()
    assert card.startswith("# A model with the voice me added\n\nMade by `vqspeech adapt`")
    assert f"from `{base}` (SHA-256 of its weights {vqspeech.load(base).checksum})" in card
    assert "2 recordings, 18 s" in card
    assert "## The model it was made from\n\n## The first\n\n### Licence\n\nCC BY" in card


def test_of_a_data_directory_the_speaker_of_that_name_is_taken(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_data(tmp_path, ("carl", "dora"))
    assert adapt(model, data, tmp_path / "mine", speaker="dora") == 0
    assert "in 2 recordings" in capsys.readouterr().err
    assert adapt(model, data, tmp_path / "other") == 2
    assert "holds 2 speakers, none called 'me'" in capsys.readouterr().err


def test_a_data_directory_of_one_speaker_may_call_it_otherwise(model: str, tmp_path: Path) -> None:
    assert adapt(model, write_data(tmp_path, ("carl",)), tmp_path / "mine") == 0


def test_stopped_it_goes_on_to_the_same_model(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    takes = write_speech(tmp_path / "takes")
    assert adapt(model, takes, tmp_path / "whole") == 0
    take_step = fit.VoiceFit._take_step

    def stopped(fitting: fit.VoiceFit, adapter: SpeakerAdapter, optimizer: torch.optim.Optimizer, step: int) -> None:
        if step == 3:
            raise KeyboardInterrupt
        take_step(fitting, adapter, optimizer, step)

    with monkeypatch.context() as patch:
        patch.setattr(fit.VoiceFit, "_take_step", stopped)
        assert adapt(model, takes, tmp_path / "mine") == 130
    assert "the same command goes on from there" in capsys.readouterr().err
    assert not (tmp_path / "mine").exists()
    assert adapt(model, takes, tmp_path / "mine") == 0
    assert capsys.readouterr().err.splitlines()[1].startswith("step 2/4")
    for file in ("model.safetensors", "README.md"):
        assert (tmp_path / "mine" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()


def test_faults_are_one_line_and_leave_nothing(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    takes = write_speech(tmp_path / "takes")
    brief = write_speech(tmp_path / "brief", (3.0, 1.0))
    silent = tmp_path / "silent"
    silent.mkdir()
    soundfile.write(silent / "a.wav", np.zeros(40 * RATE), RATE)
    broken = write_speech(tmp_path / "broken")
    soundfile.write(broken / "nan.wav", np.array([0.1, np.nan, 0.1] * 8000), RATE, subtype="FLOAT")
    text = tmp_path / "text"
    text.mkdir()
    (text / "a.wav").write_text("no audio")
    (tmp_path / "empty").mkdir()
    there = tmp_path / "there"
    there.mkdir()
    (there / "README.md").write_text("mine")
    out = tmp_path / "mine"
    for data, target, speaker, problem in (
        (takes, out, "anna", "has a voice 'anna' already"),
        (takes, out, "me:1", "cannot be a speaker's name"),
        (takes, out, "a b", "cannot be a speaker's name"),
        (takes, out, "../me", "cannot be a speaker's name"),
        (takes, out, "", "cannot be a speaker's name"),
        (takes, there, "me", "is there already"),
        (brief, out, "me", "4.0 s of speech, too little"),
        (silent, out, "me", "0.0 s of speech, too little"),
        (broken, out, "me", "nan.wav"),
        (text, out, "me", "a.wav"),
        (tmp_path / "empty", out, "me", "no recordings in it"),
        (tmp_path / "nowhere", out, "me", "no such folder"),
        (takes / "take0.wav", out, "me", "no such folder"),
    ):
        assert adapt(model, data, target, speaker=speaker) == 2, problem
        error = capsys.readouterr().err.strip()
        assert problem in error
        assert len(error.splitlines()) == 1
    assert not out.exists()
    assert (there / "README.md").read_text() == "mine"


def test_steps_below_one_are_refused(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert adapt(model, write_speech(tmp_path / "takes"), tmp_path / "mine", "--steps", "0") == 2
    assert "--steps" in capsys.readouterr().err
