"""What others have made (codes, data directories, folders, models) writes nothing elsewhere and runs nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from vqspeech import codes
from vqspeech.audio import media
from vqspeech.cli.main import main


def record(path: Path) -> Path:
    soundfile.write(path, 0.1 * np.random.default_rng(1).standard_normal(1600), 16_000)
    return path


def files(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def data_directory(folder: Path, name: str, recording: str) -> Path:
    folder.mkdir()
    for table, line in (("wav.scp", f"{name} {recording}"), ("utt2spk", f"{name} s"), ("spk2utt", f"s {name}")):
        (folder / table).write_text(f"{line}\n")
    return folder


@pytest.mark.parametrize("name", ["../../x", "../x", "abs"])
def test_codes_are_never_spoken_outside_the_folder(
    tmp_path: Path, model: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name = f"{tmp_path}/abs" if name == "abs" else name
    archive = tmp_path / "deep" / "codes.txt"
    archive.parent.mkdir()
    codes.write(archive, codes.Codes(codes.CodeInfo(64, 0.004, 0.002), {name: [1, 2], "good": [1]}))
    before = files(tmp_path)
    words = ["decode", str(archive), "--speaker", "anna", "--model", model, "--out", str(tmp_path / "deep" / "out")]
    assert main(words) == 2
    assert "path separator" in capsys.readouterr().err
    assert files(tmp_path) == before


def test_a_speaker_of_a_model_is_no_path(tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    evil = shutil.copytree(model, tmp_path / "model")
    (evil / "speakers.txt").write_text("anna\n../../evil\n")
    out = tmp_path / "a" / "b" / "out"
    words = ["--model", str(evil), "--speaker", "../../evil", "--out", str(out)]
    assert main(["convert", "--src", str(record(tmp_path / "a.wav")), *words]) == 2
    assert "path separator" in capsys.readouterr().err
    assert not list(tmp_path.rglob("evil*"))


@pytest.mark.parametrize("command", ["convert", "encode", "pack"])
def test_a_command_in_wav_scp_runs_only_when_it_is_allowed(
    tmp_path: Path, model: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = record(tmp_path / "a.wav")
    data = str(data_directory(tmp_path / "data", "s-1", f"touch '{tmp_path}/ran'; cat '{source}' |"))
    words = {
        "convert": ["--src", data, "--speaker", "anna", "--model", model, "--out", str(tmp_path / "out")],
        "encode": [data, "--model", model, "--out", str(tmp_path / "codes.txt")],
        "pack": [data, str(tmp_path / "p.pack"), "--jobs", "1"],
    }[command]
    assert main([command, *words]) == 2
    assert "--allow-pipes" in capsys.readouterr().err
    assert not (tmp_path / "ran").exists()
    assert main([command, *words, "--allow-pipes"]) == 0
    assert (tmp_path / "ran").exists()
    (tmp_path / "ran").unlink()
    assert main([command, *words]) in (0, 2)  # not allowed for good
    assert not (tmp_path / "ran").exists()


def test_convert_takes_neither_its_own_files_nor_hidden_ones(
    tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "available", lambda: False)
    for name in ("a", "b-c"):
        record(tmp_path / f"{name}.wav")
    for name in ("._a.wav", ".a-anna.x1y2.wav"):
        (tmp_path / name).write_bytes(b"no audio")
    (tmp_path / "d.m4a").write_bytes(b"")
    words = ["convert", "--src", str(tmp_path), "--model", model, "--speaker"]
    assert main([*words, "anna"]) == 0
    assert "d.m4a" in capsys.readouterr().err
    assert main([*words, "anna:0.5,bert:0.5"]) == 0
    before = files(tmp_path)
    assert before >= {"a-anna.wav", "b-c-anna.wav", "a-anna-0.5+bert-0.5.wav"}
    assert main([*words, "anna"]) == 0
    assert files(tmp_path) == before
    assert "2 were there already" in capsys.readouterr().err


def test_folders_in_a_folder_of_recordings_are_named(
    tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    record(tmp_path / "a.wav")
    (tmp_path / "deeper").mkdir()
    record(tmp_path / "deeper" / "b.wav")
    assert main(["encode", str(tmp_path), "--model", model, "--out", str(tmp_path / "out" / "c.txt")]) == 0
    assert f"left out: {tmp_path / 'deeper'}, a folder" in capsys.readouterr().err
    assert list(codes.read(tmp_path / "out" / "c.txt").sequences) == ["a"]


def test_encode_takes_no_two_recordings_of_one_name(
    tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        record(tmp_path / name / "a.wav")
    sources = [str(tmp_path / name / "a.wav") for name in ("x", "y")]
    assert main(["encode", *sources, "--model", model, "--out", str(tmp_path / "c.txt")]) == 2
    shown = capsys.readouterr().err
    assert all(source in shown for source in sources)
    assert not (tmp_path / "c.txt").exists()


@pytest.mark.parametrize(
    ("word", "told"), [("http://a/b.wav", "vqspeech fetch"), ("my rec.wav", "white space"), ("sub", "sub-folders")]
)
def test_what_cannot_be_encoded_names_the_file_and_a_cure(
    tmp_path: Path,
    model: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    word: str,
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    record(tmp_path / "my rec.wav")
    (tmp_path / "sub" / "deeper").mkdir(parents=True)
    record(tmp_path / "sub" / "deeper" / "a.wav")
    assert main(["encode", word, "--model", model]) == 2
    shown = capsys.readouterr()
    assert word in shown.err
    assert told in shown.err
    assert shown.out == ""


def test_a_name_that_is_not_utf_8_does_not_end_the_folder(
    tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    record(tmp_path / "a.wav").rename(tmp_path / "b\udcff.wav")
    record(tmp_path / "a.wav")
    assert main(["encode", str(tmp_path), "--model", model]) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("a ")
    assert "not UTF-8" in shown.err


def test_audio_of_a_kind_that_cannot_be_written_makes_no_folder(
    tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["convert", "--src", str(record(tmp_path / "a.wav")), "--speaker", "anna", "--model", model]
    assert main([*words, "--out", str(tmp_path / "z.mp3")]) == 2
    assert ".wav or .flac" in capsys.readouterr().err
    assert not (tmp_path / "z.mp3").exists()


@pytest.mark.parametrize("out", [[], ["--out", "codes.txt"]])
def test_a_file_whose_name_is_not_utf_8_is_no_id(
    tmp_path: Path, model: str, out: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As every name beyond ASCII is in an ASCII locale."""
    monkeypatch.chdir(tmp_path)
    name = os.fsdecode(b"\xff.wav")
    shutil.copy(record(tmp_path / "a.wav"), name)
    assert main(["encode", name, "--model", model, *out]) == 2
    error = capsys.readouterr().err
    assert "no UTF-8" in error
    assert "LC_ALL" in error
    assert not (tmp_path / "codes.txt").exists()


def test_names_of_files_neither_obey_the_terminal_nor_write_lines_of_their_own(tmp_path: Path, model: str) -> None:
    evil = "x\x1b[31mred\x07\nvqspeech encode: all is well"
    for folder in ("flat", "deep/anna"):
        (tmp_path / folder).mkdir(parents=True)
        record(tmp_path / folder / "good.wav")
        (tmp_path / folder / f"{evil}.wav").write_bytes(b"")
    for words in (
        ["encode", str(tmp_path / "flat"), "--model", model],
        ["encode", str(tmp_path / "deep"), "--model", model, "--shards", "1", "--out", str(tmp_path / "out")],
        ["prepare", "folder", str(tmp_path / "deep"), str(tmp_path / "data"), "--no-text"],
    ):
        ended = subprocess.run([sys.executable, "-m", "vqspeech", *words], capture_output=True, text=True)
        assert "red" in ended.stderr, words
        assert all(line.isprintable() for line in ended.stderr.splitlines()), words
        assert "\nvqspeech encode: all is well" not in ended.stderr, words


@pytest.mark.parametrize("shards", [[], ["--shards", "1"]], ids=["archive", "shards"])
@pytest.mark.parametrize("source", ["folder", "rows.jsonl"])
def test_a_pipe_among_recordings_is_not_waited_for(tmp_path: Path, model: str, source: str, shards: list[str]) -> None:
    if source == "rows.jsonl" and not shards:
        pytest.skip("manifests are encoded in shards")
    folder = tmp_path / "folder"
    folder.mkdir()
    record(folder / "a.wav")
    os.mkfifo(folder / "b.wav")
    (folder / "c.wav").symlink_to("b.wav")
    rows = ({"path": str(folder / f"{name}.wav")} for name in "abc")
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = [str(tmp_path / source), "--model", model, *shards, "--out", str(tmp_path / "out")]
    ended = subprocess.run([sys.executable, "-m", "vqspeech", "encode", *words], capture_output=True, timeout=120)
    assert b"a pipe or a device, not a file" in ended.stderr
    assert ended.returncode == (2 if shards else 0)
    if shards:
        assert len(codes.MappedCodes(tmp_path / "out/codes.00001-of-00001.npy")) == 1
    else:
        assert list(codes.read(tmp_path / "out").sequences) == ["a"]
