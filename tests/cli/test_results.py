"""vqspeech results: every number of an experiment on one page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vqspeech.cli.main import main
from vqspeech.training.config import read_preset, write_preset


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    folder = tmp_path / "exp"
    write_preset(read_preset("paper-25hz"), folder / "config.yaml")
    (folder / "train.log").write_text(
        "2026-01-01 00:00:00 step 5  held out: nats 3.900  code gap 0.100  used 90\n"
        "2026-01-01 00:01:00 step 9  held out: nats 3.500  code gap 0.250  used 120\n"
    )
    figures = {
        "accuracy": 0.41,
        "accuracy_same_part": 0.45,
        "accuracy_without_silence": 0.3,
        "pnmi": 0.5,
        "bitrate": 160.0,
    }
    phonemes = {
        **figures,
        "frames": 1000,
        "intervals": {"accuracy": [0.4, 0.42]},
        "paper": {"accuracy_same_part": 0.493, "most_likely_phone": 0.072},
        "floors": {"most_likely_phone": {**figures, "accuracy": 0.1}},
        "ceilings": {},
        "about": {
            "title": "Phonemes, ours",
            "utterances": 7,
            "speakers": 3,
            "phone_set": "paper-41",
            "notes": ["a note"],
        },
    }
    conversion = {
        "mean": {"similarity_target": 0.71, "wer": 0.4173},
        "floors": {"source": {"similarity_target": 0.567, "wer": 0.07}},
        "ceilings": {"real_target": {"similarity_target": 0.92, "wer": None}},
        "groups": {"target p225": {"similarity_target": 0.7, "wer": 0.4}},
        "judges": {"similarity": "Resemblyzer"},
        "about": {"title": "Conversion, ours", "pairs": 21, "notes": []},
    }
    for name, found in (("phonemes", phonemes), ("conversion", conversion), ("other", {"a": {"b_c": 0.25}})):
        (folder / name).mkdir()
        (folder / name / "RESULTS.json").write_text(json.dumps(found))
    (folder / "abx.json").write_text(json.dumps({"triphone_within": {"error": 0.125}}))
    (folder / "prior").mkdir()
    (folder / "prior" / "scores.txt").write_text("a 30 10\nb 10 10\n")
    return folder


def test_the_page_has_every_number_and_the_papers(experiment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["results", str(experiment), "--title", "VCTK"]) == 0
    assert f"written: {experiment / 'RESULTS.md'}" in capsys.readouterr().out
    page = (experiment / "RESULTS.md").read_text()
    assert page.startswith("# VCTK\n")
    for line in (
        "| samples a code | 640 | 640, for phonemes |",
        "| codes in the codebook | 128 | 128 for phonemes, else 512 |",
        "| nats | 3.500 |",
        "| code gap | 0.250 |",
        "| used | 120 |",
        "| phoneme accuracy, map learnt on the training part | 41.0 % [40.0, 42.0] | - |",
        "| phoneme accuracy, map learnt on the scored part | 45.0 % | 49.3 % |",
        "| **these codes** | 41.0 | 45.0 | 30.0 | 0.500 | 160.0 | 49.3 |",
        "| always the most likely phone | 10.0 | 45.0 | 30.0 | 0.500 | 160.0 | 7.2 |",
        "- a note",
        "| **converted** | 0.710 | 41.7 % |",
        "| real recordings of the target | 0.920 | - |",
        "| target p225 | 0.700 | 40.0 % |",
        "| a: b c | 0.250 |",
        "| triphone within: error | 0.125 |",
        "| bits a code | 2.000 | not told |",
    ):
        assert line in page.splitlines(), line


def test_the_page_can_lie_elsewhere(experiment: Path, tmp_path: Path) -> None:
    assert main(["results", str(experiment), "--out", str(tmp_path / "page.md")]) == 0
    assert (tmp_path / "page.md").read_text().startswith("# exp\n")


def test_a_folder_without_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["results", str(tmp_path)]) == 2
    assert "no results in it" in capsys.readouterr().err
    assert main(["results", str(tmp_path / "nowhere")]) == 2
    assert "no such folder" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "content"), [("abx.json", "{"), ("RESULTS.json", "[]"), ("scores.txt", "a b\n")])
def test_results_that_cannot_be_read(
    name: str, content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_text(content)
    assert main(["results", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert str(tmp_path / name) in error
    assert len(error.splitlines()) == 1
