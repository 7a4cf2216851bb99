"""``models`` and ``--model NAME`` as a user types them, and what a model without voices refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

import vqspeech
from vqspeech import codes
from vqspeech.cli.main import main
from vqspeech.model.packaged import model_name, packaged_models

SAMPLE = Path(__file__).parents[2] / "egs" / "quickstart" / "sample"
RECORDING = str(SAMPLE / "slt-001.flac")


def test_models_lists_names_rates_and_voices(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = {line.split()[0]: line for line in lines[1:]}
    assert set(rows) == {"default", "units"}
    assert "50 Hz" in rows["units"]
    assert "256" in rows["units"]
    assert "none" in rows["units"]
    assert "31" in rows["default"]


def test_units_of_a_recording_are_those_of_the_model_of_that_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "codes.txt"
    assert main(["encode", RECORDING, "--model", "units", "--out", str(out)]) == 0
    archive = codes.read(out)
    assert (archive.info.codebook_size, archive.info.frame_period) == (256, 0.02)
    expected = vqspeech.load("units").encode(RECORDING)
    assert archive.sequences["slt-001"].tolist() == expected.tolist()


@pytest.mark.parametrize(
    "words",
    [
        ["convert", "--src", RECORDING, "--speaker", "slt", "--out", "x.wav"],
        ["decode", "codes.txt", "--speaker", "slt", "--out", "x.wav"],
        ["adapt", "--data", str(SAMPLE), "--speaker", "slt", "--out", "x.wav"],
        ["evaluate", "reconstruction", "--data", str(SAMPLE), "--metrics", "cepstra", "--out", "report"],
        ["evaluate", "conversion", "--data", str(SAMPLE), "--targets", "slt", "--out", "report"],
    ],
    ids=lambda words: "-".join(words[:2]) if words[0] == "evaluate" else words[0],
)
def test_a_model_without_voices_says_so_when_it_is_asked_to_speak(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["encode", RECORDING, "--model", "units", "--out", "codes.txt"]) == 0
    assert main([*words, "--model", "units"]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert "units only" in last
    assert not (tmp_path / "x.wav").exists()


def test_speakers_and_info_of_a_model_without_voices(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["speakers", "--model", "units"]) == 0
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "units only" in shown.err
    for what in ("units", "units-50hz"):
        assert main(["info", what]) == 0
        table = capsys.readouterr().out
        assert "50 Hz" in table
        assert "none: units only" in table
        assert "decoder" not in table.replace("decoder 0.00 M", "")


def test_a_packaged_model_is_called_by_its_name_and_any_other_by_its_folders() -> None:
    assert {model_name(folder): folder for folder in packaged_models().values()} == packaged_models()
    assert vqspeech.load().code_info.model == "default"
    assert model_name(Path("exp/pretrained")) == "pretrained"
