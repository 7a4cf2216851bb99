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
        "2026-01-01 00:01:00 step 9  held out: nll 3.500  code gap 0.250  used 120\n"
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
        "baselines": {"most_likely_phone": {**figures, "accuracy": 0.1}},
        "toplines": {},
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
        "intervals": {"wer": [0.3, 0.5], "confidence": 0.95},
        "baselines": {"source": {"similarity_target": 0.567, "wer": 0.07}},
        "toplines": {"real_target": {"similarity_target": 0.92, "wer": None}},
        "groups": {"target p225": {"similarity_target": 0.7, "wer": 0.4}},
        "metrics": {"similarity": "Resemblyzer"},
        "about": {"title": "Conversion, ours", "pairs": 21, "notes": []},
    }
    reconstruction = {**conversion, "about": {"title": "Reconstruction", "measure": "reconstruction", "pairs": 2}}
    prior = {
        "codebook_bits": 7.0,
        "bits_per_code": 4.0,
        "unigram_bits_per_code": 6.5,
        "saved_bits_per_code": {"unigram": 2.5},
        "intervals": {"prior": [3.9, 4.1], "unigram - prior": [2.4, 2.6], "confidence": 0.95},
        "held_out": {"codes": 500, "seconds": 20.0, "utterances": 4, "speakers": 2},
        "train_codes": 9000,
        "systems": {
            "samples": {"repeated_4": 0.25, "nearest": {"s1": {"copied": 3, "nearest": 0.4}}},
            "real": {"repeated_4": 0.2},
        },
        "about": {"title": "Prior, ours", "compared_codes": 50, "notes": []},
    }
    for name, found in (
        ("phonemes", phonemes),
        ("conversion", conversion),
        ("reconstruction", reconstruction),
        ("prior/report", prior),
        ("other", {"a": {"b_c": 0.25}}),
    ):
        (folder / name).mkdir(parents=True)
        (folder / name / "RESULTS.json").write_text(json.dumps(found))
    error = {"error": 0.125, "interval": [0.1, 0.15], "triples": 90, "speakers": 3}
    abx = {"triphone_within": error, "compared": {"random_codes": {"triphone_within": {"error": 0.5}}}}
    segmentation = {
        "tolerance": 0.02,
        "runs of one code": {"precision": 0.3},
        "baselines": {"random_codes": {"precision": 0.1}},
    }
    speakers = {"accuracy": 0.6, "chance": 0.25, "utterances": 8, "speakers": 4, "compared": {}}
    for name, found in (("abx", abx), ("segmentation", segmentation), ("speakers", speakers)):
        (folder / f"{name}.json").write_text(json.dumps(found))
    (folder / "prior" / "scores.txt").write_text("a 30 10\nb 10 10\n")
    return folder


def test_the_page_has_every_number_and_the_papers(experiment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["results", str(experiment), "--title", "VCTK"]) == 0
    assert f"written: {experiment / 'RESULTS.md'}" in capsys.readouterr().out
    page = (experiment / "RESULTS.md").read_text()
    assert page.startswith("# VCTK\n")
    for line in (
        "| samples per code | 640 | 640, for phonemes |",
        "| codes in the codebook | 128 | 128 for phonemes, else 512 |",
        "| nats per sample | 3.500 |",
        "| code gap (nats that another utterance's codes cost more) | 0.250 |",
        "| codes used | 120 |",
        "| codes as phonemes, map learnt on the scored part | 45.0 % | 49.3 % (25 per second, K 128) |",
        "| always the most likely phoneme | 45.0 % | 7.2 % |",
        "| speaker conversion | to target 0.710, word errors 41.7 % | samples to listen to, no figure |",
        "| prior over the codes | 4.000 bits per code | samples to listen to, no figure |",
        "| phoneme accuracy, map learnt on the training part | 41.0 % [40.0, 42.0] | - |",
        "| phoneme accuracy, map learnt on the scored part | 45.0 % | 49.3 % |",
        "| **these codes** | 41.0 | 45.0 | 30.0 | 0.500 | 160.0 | 49.3 |",
        "| always the most likely phone | 10.0 | 45.0 | 30.0 | 0.500 | 160.0 | 7.2 |",
        "- a note",
        "| **converted** | 0.710 | 41.7 % [30.0, 50.0] |",
        "| real recordings of the target | 0.920 | - |",
        "| target p225 | 0.700 | 40.0 % |",
        "| **reconstructed** | 0.710 | 41.7 % [30.0, 50.0] |",
        "| **prior** | 4.000 [3.900, 4.100] | 100.0 |  |",
        "| unigram | 6.500 | 162.5 | 2.500 [2.400, 2.600] |",
        "|  | samples of the prior | real codes |",
        "| 4-grams that stood earlier in the sequence | 25.0 % | 20.0 % |",
        "| least of all | 40.0 % | - |",
        "| a: b c | 0.250 |",
        "| **these codes** | 12.5 % [10.0, 15.0] |",
        "| random codes | 50.0 % |",
        "| runs of one code | 30.0 % |",
        "| **these codes** | 60.0 % | 25.0 % |",
        "| bits per code | 2.000 | not reported |",
    ):
        assert line in page.splitlines(), line


def test_the_page_can_lie_elsewhere(experiment: Path, tmp_path: Path) -> None:
    assert main(["results", str(experiment), "--out", str(tmp_path / "page.md")]) == 0
    assert (tmp_path / "page.md").read_text().startswith("# exp\n")


def test_what_a_page_shows_is_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "prior").mkdir()
    (tmp_path / "prior" / "RESULTS.json").write_text(json.dumps({"codebook_bits": 7.0, "unigram_bits_per_code": 5.0}))
    (tmp_path / "abx.json").write_text(json.dumps({"any_within": None}))
    (tmp_path / "speakers.json").write_text("{}")
    assert main(["results", str(tmp_path)]) == 0
    page = (tmp_path / "RESULTS.md").read_text()
    assert "| unigram | 5.000 | - | - |" in page
    assert "## Setting" not in page


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
