"""``train-prior``, ``sample``, ``continue`` and ``score`` as a user types them, with a model of random weights."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import soundfile

from vqspeech import codes
from vqspeech.cli.main import main
from vqspeech.codes import CodeInfo, Codes
from vqspeech.model.checkpoint import codes_checksum
from vqspeech.model.prior.checkpoint import load_prior

BRIEF = [
    "network.layers=2",
    "network.cycle=2",
    "network.width=8",
    "network.gate=8",
    "network.skip=8",
    "training.steps=8",
    "training.batch=2",
    "training.crop=32",
    "training.precision=fp32",
    "training.optimizer.warm_up=0",
    "training.optimizer.adam=0.1",
]


def archive(path: Path, info: CodeInfo, seed: int) -> str:
    rng = np.random.default_rng(seed)
    names = [f"{who}-{part}{number}" for who in ("anna", "bert") for part in (path.stem,) for number in range(4)]
    codes.write(path, Codes(info, {name: rng.integers(0, info.codebook_size, 60).astype(np.int32) for name in names}))
    path.with_suffix(".utt2spk").write_text("".join(f"{name} {name.partition('-')[0]}\n" for name in names))
    return str(path)


@pytest.fixture
def info(model: str) -> CodeInfo:
    return CodeInfo(codebook_size=128, frame_period=0.004, offset=0.002, checksum=codes_checksum(model))


@pytest.fixture
def words(tmp_path: Path, info: CodeInfo) -> list[str]:
    """A ``train-prior`` of codes that the model could have made."""
    given = ["train-prior", "wavenet", "--out", str(tmp_path / "exp"), "--device", "cpu"]
    for option, name, seed in (("--codes", "train", 0), ("--dev", "dev", 1)):
        given += [option, archive(tmp_path / f"{name}.txt", info, seed), "--utt2spk", str(tmp_path / f"{name}.utt2spk")]
    return [*given, *BRIEF]


@pytest.fixture
def prior(words: list[str], tmp_path: Path) -> str:
    assert main(words) == 0
    return str(tmp_path / "exp")


def test_a_file_that_is_there_is_named_before_anything_is_drawn(
    monkeypatch: pytest.MonkeyPatch, prior: str, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from vqspeech.generation import code_sampling

    def draws(*_: object, **__: object) -> None:
        raise AssertionError("codes are drawn for nothing")

    monkeypatch.setattr(code_sampling, "sample_codes", draws)
    out = tmp_path / "s.wav"
    out.write_text("precious")
    words = ["sample", "--model", model, "--prior", prior, "--speaker", "anna"]
    assert "is there already" in issue([*words, "--out", str(out)], capsys)
    assert "a folder" in issue([*words, "--codes-out", str(tmp_path)], capsys)
    assert out.read_text() == "precious"


def issue(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(words) == 2
    error = capsys.readouterr().err.strip()
    assert len(error.splitlines()) == 1
    return error


def test_a_prior_is_trained_and_says_its_bits(
    words: list[str], info: CodeInfo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 0
    assert "bits per code on held-out codes (step 8)" in capsys.readouterr().out
    found = load_prior(tmp_path / "exp")
    assert found.speakers == ("anna", "bert")
    assert found.config.codes == 128
    assert found.config.made_by == info.checksum
    card = (tmp_path / "exp" / "checkpoints" / "best" / "README.md").read_text()
    for fact in ("convolutions, 2 layers", "480 codes in 8 utterances", "8 steps", str(info.checksum), "7.000 bits"):
        assert fact in card
    before = (tmp_path / "exp" / "checkpoints" / "best" / "prior.safetensors").read_bytes()
    assert main(words) == 0, "again: nothing is left to do"
    assert (tmp_path / "exp" / "checkpoints" / "best" / "prior.safetensors").read_bytes() == before


def test_a_prior_is_told_by_its_best_step_not_by_the_last(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from vqspeech.training import trainer
    from vqspeech.training.prior.task import HeldOutBits, PriorTask

    monkeypatch.setattr(trainer, "EVALUATE_EVERY", 0.0)
    monkeypatch.setattr(trainer, "EVALUATE_SHARE", math.inf)
    bits = iter([6.5, 6.25, 6.0, 6.125, *[6.75] * 9])
    monkeypatch.setattr(PriorTask, "evaluate", lambda *_: HeldOutBits(bits=next(bits), speaker_gap=0.25))
    assert main(words) == 0
    assert "best: 6.000 bits per code on held-out codes (step 3)" in capsys.readouterr().out
    card = (tmp_path / "exp" / "checkpoints" / "best" / "README.md").read_text()
    assert "| held-out codes | 6.000 bits per code; 6.250 without the speaker |" in card
    assert "| training | 3 of 8 steps, " in card


def test_several_archives_are_one_training_part(words: list[str], info: CodeInfo, tmp_path: Path) -> None:
    more = archive(tmp_path / "more.txt", info, 2)
    assert main([*words, "--codes", more, "--utt2spk", str(tmp_path / "more.utt2spk")]) == 0


def test_without_utt2spk_nobody_is_told(words: list[str], tmp_path: Path) -> None:
    plain = [word for word in words if word != "--utt2spk" and not word.endswith(".utt2spk")]
    assert main(plain) == 0
    assert load_prior(tmp_path / "exp").speakers == ()


def test_bad_input_of_training_is_one_line(
    words: list[str], info: CodeInfo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = CodeInfo(codebook_size=128, frame_period=0.004, offset=0.002, checksum="f" * 64)
    strange = archive(tmp_path / "strange.txt", other, 3)
    twice = str(tmp_path / "train.txt")
    half = tmp_path / "half.utt2spk"
    half.write_text("anna-train0 anna\nbert\n")
    for added, problem in (
        (["--codes", strange], "made by another model"),
        (["--codes", twice], "occurs in two archives"),
        (["--utt2spk", str(half)], f"{half}:2: not two words"),
        (["--model", str(tmp_path)], "no config.yaml"),
        (["network.depth=3"], "no such key"),
        (["network.layers=0"], "network.layers"),
        (["--device", "abacus"], "no device"),
        (["--codes", str(tmp_path / "none.txt")], "No such file"),
    ):
        assert problem in issue([*words, *added], capsys)
    unknown = archive(tmp_path / "unknown.txt", info, 4)
    assert "anna-unknown0 has no speaker" in issue([*words, "--codes", unknown], capsys)


def test_a_sample_is_spoken(model: str, prior: str, tmp_path: Path) -> None:
    out = tmp_path / "s.wav"
    words = ["sample", "--model", model, "--prior", prior, "--seconds", "0.5", "--speaker", "anna", "--seed", "3"]
    assert main([*words, "--out", str(out), "--codes-out", str(tmp_path / "s.txt")]) == 0
    waveform, rate = soundfile.read(out)
    assert len(waveform) == rate // 2
    drawn = codes.read(tmp_path / "s.txt")
    assert drawn.info.checksum == codes_checksum(model)
    assert [len(sequence) for sequence in drawn.sequences.values()] == [125]
    words = ["decode", str(tmp_path / "s.txt"), "--model", model, "--speaker", "anna", "--seed", "3"]
    assert main([*words, "--out", str(tmp_path / "again.wav")]) == 0
    assert (tmp_path / "again.wav").read_bytes() == out.read_bytes()


def test_many_samples_need_no_voice_while_they_are_codes(model: str, prior: str, tmp_path: Path) -> None:
    words = ["sample", "--model", model, "--prior", prior, "--seconds", "0.2", "--count", "5"]
    assert main([*words, "--codes-out", str(tmp_path / "c.txt")]) == 0
    assert len({tuple(sequence) for sequence in codes.read(tmp_path / "c.txt").sequences.values()}) == 5
    assert main([*words, "--speaker", "bert", "--out", str(tmp_path / "spoken")]) == 0
    assert len(list((tmp_path / "spoken").glob("*-bert.wav"))) == 5


def test_a_recording_goes_on(model: str, prior: str, tmp_path: Path) -> None:
    source = tmp_path / "a.wav"
    soundfile.write(source, 0.1 * np.random.default_rng(0).standard_normal(8000), 16000)
    words = ["continue", "--model", model, "--prior", prior, "--src", str(source), "--seconds", "0.3"]
    out = ["--speaker", "bert", "--out", str(tmp_path / "b.wav"), "--codes-out", str(tmp_path / "b.txt")]
    assert main([*words, *out]) == 0
    assert len(soundfile.read(tmp_path / "b.wav")[0]) == 8000 + 4800
    (continued,) = codes.read(tmp_path / "b.txt").sequences.values()
    assert main(["encode", str(source), "--model", model, "--out", str(tmp_path / "a.txt")]) == 0
    (heard,) = codes.read(tmp_path / "a.txt").sequences.values()
    assert continued[: len(heard)].tolist() == heard.tolist()


def test_scores_are_a_line_an_utterance_and_a_mean(
    model: str, prior: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    words = ["score", "--codes", str(tmp_path / "dev.txt"), "--prior", prior]
    assert main([*words, "--out", str(tmp_path / "scores.txt")]) == 0
    told = capsys.readouterr().out
    lines = [line.split() for line in (tmp_path / "scores.txt").read_text().splitlines()]
    assert [line[0] for line in lines] == list(codes.read(tmp_path / "dev.txt").sequences)
    assert all(line[2] == "60" for line in lines)
    mean = sum(float(line[1]) for line in lines) / 480
    assert told.startswith(f"{mean:.4f} bits per code; 480 codes in 8 utterances")
    assert main([*words, "--utt2spk", str(tmp_path / "dev.utt2spk")]) == 0
    assert capsys.readouterr().out != (tmp_path / "scores.txt").read_text(), "the speakers are told now"
    source = tmp_path / "a.wav"
    soundfile.write(source, 0.1 * np.random.default_rng(0).standard_normal(8000), 16000)
    assert main(["score", str(source), "--model", model, "--prior", prior]) == 0
    assert capsys.readouterr().out.split()[::2] == ["a", "125"]


def test_a_prior_inside_the_model_is_found(model: str, prior: str, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(model, tmp_path / "m")
    shutil.copytree(Path(prior) / "checkpoints" / "best", tmp_path / "m" / "prior")
    words = ["sample", "--model", str(tmp_path / "m"), "--seconds", "0.1", "--codes-out", str(tmp_path / "c.txt")]
    assert main(words) == 0


def test_bad_input_of_drawing_and_scoring_is_one_line(
    model: str, prior: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = ["--model", model, "--prior", prior]
    out = ["--codes-out", str(tmp_path / "c.txt")]
    other = tmp_path / "other.txt"
    info = {"codebook_size": 128, "frame_period": 0.004, "offset": 0.002}
    other.write_text("u 3 4\n")
    other.with_suffix(".json").write_text(json.dumps(info | {"checksum": "f" * 64}))
    large = tmp_path / "large.txt"
    large.write_text("u 3 128\n")
    large.with_suffix(".json").write_text(json.dumps(info | {"codebook_size": 129}))
    for words, problem in (
        (["sample", *both], "whose voice? (one of: anna bert)"),
        (["sample", *both, "--speaker", "ana"], "nearest: anna"),
        (["sample", *both, *out, "--seconds", "0"], "--seconds"),
        (["sample", *both, *out, "--seconds", "nan"], "--seconds"),
        (["sample", *both, *out, "--top-k", "0"], "top-k"),
        (["sample", "--model", model, *out], "train-prior"),
        (["continue", *both, *out, "--src", str(tmp_path / "none.wav")], "none.wav"),
        (["score", "--prior", prior, "--codes", str(large), "--device", "abacus"], "no device"),
        (["score", *both], "what shall be scored?"),
        (["score", "--prior", prior, "--codes", str(other)], "another model"),
        (["score", "--prior", prior, "--codes", str(large)], "code 128"),
    ):
        assert problem in issue(words, capsys)
