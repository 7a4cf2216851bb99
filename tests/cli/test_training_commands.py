"""``pack`` and ``train`` as a user types them, on the sample in the repository."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from vqspeech import load
from vqspeech.cli.main import main
from vqspeech.datadir import DataDir, Utterance
from vqspeech.model.checkpoint import load_model
from vqspeech.training.pack import read_pack
from vqspeech.training.speaker_stats import compute_speaker_stats

SAMPLE = Path(__file__).parents[2] / "egs" / "quickstart" / "sample"
BRIEF = [
    "training.steps=6",
    "training.batch=2",
    "training.segment=2048",
    "training.crop=512",
    "training.quantize_from=2",
    "training.decode_from=3",
    "training.precision=fp32",
]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Data directories train and dev, two speakers."""
    for part, number in (("train", "001"), ("dev", "002")):
        DataDir(
            Utterance(id=f"{speaker}-{number}", speaker=speaker, recording=str(SAMPLE / f"{speaker}-{number}.flac"))
            for speaker in ("rms", "slt")
        ).write(tmp_path / part)
    return tmp_path


def train(data: Path, *words: str) -> int:
    parts = ["--data", str(data / "train"), "--dev", str(data / "dev"), "--out", str(data / "exp")]
    return main(["train", "tiny", *parts, "--device", "cpu", *words])


def test_a_model_is_trained_from_data_directories_and_speaks(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(data, *BRIEF) == 0
    assert "nats per sample" in capsys.readouterr().out
    exp = data / "exp"
    assert yaml.safe_load((exp / "config.yaml").read_text())["training"]["steps"] == 6
    assert "held out" in (exp / "train.log").read_text()
    assert list((exp / "tensorboard").iterdir())
    words = ["convert", "--model", str(exp), "--src", str(SAMPLE / "slt-002.flac"), "--speaker", "rms"]
    assert main([*words, "--precision", "int8", "--out", str(data / "out.wav")]) == 0
    assert (data / "out.wav").stat().st_size > 1000


def test_a_front_end_alone_is_summed_up_by_its_mel_error(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(data, *BRIEF, "training.decode_from=1000") == 0
    printed, log = capsys.readouterr().out, (data / "exp" / "train.log").read_text()
    assert re.search(r"best: mel error \d\.\d{3}, perplexity \d+ \(step 6\)$", printed)
    assert re.search(r"held out: mel \d\.\d{3}  perplexity", log)
    assert "nan" not in printed + log


def test_a_pack_trains_the_same_model_as_the_directory_it_was_made_from(data: Path) -> None:
    assert train(data, *BRIEF) == 0
    first = (data / "exp" / "checkpoints" / "best" / "model.safetensors").read_bytes()
    assert main(["pack", str(data / "train"), str(data / "train.pack"), "--jobs", "1"]) == 0
    words = ["--data", str(data / "train.pack"), "--dev", str(data / "dev"), "--out", str(data / "again")]
    assert main(["train", "tiny", *words, "--device", "cpu", *BRIEF]) == 0
    assert (data / "again" / "checkpoints" / "best" / "model.safetensors").read_bytes() == first


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["training.stepz=6"], "no such key"),
        (["training.steps=many"], "training.steps"),
        (["training.segment=1000"], "whole number of codes"),
        (["--device", "abacus"], "no device"),
    ],
)
def test_faults_are_one_line_and_exit_code_2(
    data: Path, words: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(data, *words) == 2
    error = capsys.readouterr().err.strip()
    assert problem in error
    assert len(error.splitlines()) == 1


def test_what_is_no_pack_and_no_folder_is_not_written_over(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    precious = data / "precious.wav"
    precious.write_bytes(b"RIFF")
    assert main(["pack", str(data / "train"), str(precious)]) == 2
    assert "is there, and no pack" in capsys.readouterr().err
    assert main(["pack", str(data / "train"), str(data)]) == 2
    assert "is a folder" in capsys.readouterr().err
    words = ["--data", str(data / "train"), "--dev", str(data / "dev"), "--out", str(precious)]
    assert main(["train", "tiny", *words, *BRIEF]) == 2
    assert "is a file, not a folder" in capsys.readouterr().err
    assert precious.read_bytes() == b"RIFF"
    assert main(["pack", str(data / "dev"), str(data / "dev.pack"), "--jobs", "1"]) == 0
    assert main(["pack", str(data / "dev"), str(data / "dev.pack"), "--jobs", "1"]) == 0


def test_a_preset_of_another_command_is_named_as_such(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--data", str(data / "train"), "--dev", str(data / "dev"), "--out", str(data / "exp")]
    assert main(["train", "units-50hz", *words]) == 2
    assert "a preset of vqspeech train-units" in capsys.readouterr().err
    assert main(["train-units", "small", *words]) == 2
    assert "a preset of vqspeech train (" in capsys.readouterr().err


def test_a_pack_of_another_rate_is_refused(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["pack", str(data / "train"), str(data / "train.pack"), "--sample-rate", "8000"])
    words = ["--data", str(data / "train.pack"), "--dev", str(data / "dev"), "--out", str(data / "exp")]
    assert main(["train", "tiny", *words, *BRIEF]) == 2
    assert "--sample-rate 16000" in capsys.readouterr().err


def test_missing_perturbed_copies_are_refused_with_the_command_that_makes_them(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["pack", str(data / "train"), str(data / "train.pack")])
    words = ["--data", str(data / "train.pack"), "--dev", str(data / "dev"), "--out", str(data / "exp")]
    assert (
        main(["train", "tiny", *words, *BRIEF, "training.perturb_probability=0.5", "training.perturbed_copies=2"]) == 2
    )
    assert "vqspeech pack --perturbed-copies 2" in capsys.readouterr().err


def test_no_data_is_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--data", str(tmp_path / "no"), "--dev", str(tmp_path / "no"), "--out", str(tmp_path / "exp")]
    assert main(["train", "tiny", *words]) == 2
    assert "vqspeech prepare" in capsys.readouterr().err


def test_when_training_ends_the_voices_were_measured_and_codes_are_brought_to_them(data: Path) -> None:
    assert train(data, *BRIEF) == 0
    model = load(data / "exp")
    assert model.network.speaker_stats.computed([0, 1])
    recording = SAMPLE / "slt-002.flac"
    assert (model.encode(recording, "rms") != model.encode(recording)).any()
    expected = load_model(data / "exp")
    compute_speaker_stats(expected, read_pack(data / "exp" / "train.pack"))
    assert expected.speaker_stats.unigrams.equal(model.network.speaker_stats.unigrams)
    assert expected.speaker_stats.means.equal(model.network.speaker_stats.means)


def test_earlier_names_of_options_and_keys_work_with_a_line_of_warning(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pack", str(data / "train"), str(data / "train.pack"), "--disguises", "1"]) == 0
    said = capsys.readouterr()
    assert "1 perturbed copies of each" in said.out
    assert "vqspeech pack: warning: '--disguises' is now called '--perturbed-copies'" in said.err
    words = ["--data", str(data / "train.pack"), "--dev", str(data / "dev"), "--out", str(data / "exp")]
    words += [*BRIEF, "training.disguise=0.5", "training.disguises=2"]
    assert main(["train", "tiny", *words]) == 2
    said = capsys.readouterr()
    assert "holds 1 perturbed copies, the preset wants 2" in said.err
    assert "warning: 'training.disguise' is now called 'training.perturb_probability'" in said.err
