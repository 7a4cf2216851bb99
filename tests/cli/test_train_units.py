"""``train-units`` as a user types it, on the sample in the repository: once, and once more on the first one's units."""

from __future__ import annotations

from pathlib import Path

import pytest

import vqspeech
from vqspeech.cli.main import main

SAMPLE = Path(__file__).parents[2] / "egs" / "quickstart" / "sample"
BRIEF = [
    "model.encoder.channels=16",
    "model.encoder.dimension=8",
    "model.quantizer.codes=12",
    "training.targets.clusters=10",
    "training.targets.frames=300",
    "training.steps=3",
    "training.batch=2",
    "training.segment=16000",
    "training.precision=fp32",
]


def train(out: Path, *words: str) -> int:
    data = ["--data", str(SAMPLE), "--dev", str(SAMPLE), "--threads", "1", "--device", "cpu"]
    return main(["train-units", "units-50hz", *data, "--out", str(out), *BRIEF, *words])


def test_a_second_iteration_predicts_and_begins_with_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(SAMPLE.parents[2])  # the sample's wav.scp names its recordings from there
    assert train(tmp_path / "first") == 0
    assert "of masked clusters" in capsys.readouterr().out
    first = str(tmp_path / "first")
    assert train(tmp_path / "second", "--targets", first, "--from", first) == 0
    assert (tmp_path / "second" / "targets.safetensors").is_file()
    model = vqspeech.load(tmp_path / "second")
    codes = model.encode(SAMPLE / "slt-001.flac")
    assert codes.max() < 12
    assert model.speakers == ()
    # The same command finds everything done; another one is refused.
    assert train(tmp_path / "first") == 0
    assert train(tmp_path / "first", "training.targets.clusters=9") == 2
    assert "other clusters" in capsys.readouterr().err
    assert train(tmp_path / "second", "--targets", str(tmp_path / "second"), "--from", first) == 2
    assert "other clusters" in capsys.readouterr().err
    assert train(tmp_path / "third", "--targets", first, "model.encoder.strides=[4]", "model.conditioner.hop=640") == 2
    assert "units per second" in capsys.readouterr().err
    assert train(tmp_path / "third", "--from", "nowhere") == 2
    assert "nowhere" in capsys.readouterr().err
