"""vqspeech encode --shards and join: the same bytes whatever the number of shards, the order and the kills."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import DTypeLike, NDArray

from vqspeech import api, codes
from vqspeech.cli.main import main
from vqspeech.codes import mapped_codes
from vqspeech.codes import shard as shard_module
from vqspeech.codes.binary import RECORD
from vqspeech.datadir import DataDir, Utterance
from vqspeech.encoding import shards
from vqspeech.errors import InputError
from vqspeech.model.checkpoint import load_model, save_model

RATE = 16_000
#: What a job array or torchrun would set, and the test's own surroundings may.
VARIABLES = ("SLURM_ARRAY_TASK_ID", "SLURM_STEP_NUM_TASKS", "RANK", "WORLD_SIZE")


@pytest.fixture(autouse=True)
def _no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Thirty short recordings in folders, and rows of them and of parts of one."""
    generator = np.random.default_rng(0)
    rows = []
    for number in range(30):
        path = tmp_path / "audio" / f"s{number % 3}" / f"u{number:02}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.1 * generator.standard_normal(int(generator.integers(500, 9000))), RATE)
        rows.append({"path": str(path), "id": path.stem})
    rows += [{"path": rows[0]["path"], "start": 0.01 * n, "end": 0.01 * n + 0.02, "id": f"part{n}"} for n in range(2)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def encode(source: Path, out: Path, model: str, *words: str) -> int:
    return main(["encode", str(source), "--out", str(out), "--model", model, *words])


def join(shards: Path, dest: Path, *words: str) -> dict[str, bytes]:
    assert main(["join", str(shards), str(dest), *words]) == 0
    return contents(dest)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_any_number_of_shards_in_any_order(corpus: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    wholes = []
    for count in (1, 4, 50):
        out = corpus / f"out{count}"
        for shard in reversed(range(1, count + 1)):
            assert encode(corpus / "rows.jsonl", out, model, "--shards", str(count), "--shard", str(shard)) == 0
        wholes.append(join(out, corpus / f"joined{count}", "--text", "--jsonl"))
    assert wholes[0] == wholes[1] == wholes[2]
    names = {"codes.npy", "codes.index.npy", "codes.ids", "codes.json", "codes.txt", "codes.jsonl"}
    assert wholes[0].keys() == names
    # The text is what one utterance after the other gives, and the memory map holds the same.
    assert encode(corpus / "rows.jsonl", corpus / "all", model, "--shards", "4") == 0
    assert join(corpus / "all", corpus / "again", "--text", "--jsonl") == wholes[0]
    assert main(["encode", str(corpus / "audio/s0"), "--model", model, "--out", str(corpus / "plain.txt")]) == 0
    plain, text = codes.read(corpus / "plain.txt"), codes.read(corpus / "again/codes.txt")
    mapped = codes.MappedCodes(corpus / "again")
    assert mapped.codes.dtype == np.uint8
    assert [name for name, _ in mapped.items()] == list(text.sequences)
    for name, sequence in plain.sequences.items():
        np.testing.assert_array_equal(mapped[name], sequence)
        np.testing.assert_array_equal(text.sequences[name], sequence)
    np.testing.assert_allclose(mapped.index["seconds"][-2:], 0.02)
    loaded = np.load(corpus / "again/codes.npy", mmap_mode="r")
    np.testing.assert_array_equal(loaded, mapped.codes)
    assert np.load(corpus / "again/codes.index.npy").dtype.names == ("offset", "length", "seconds", "id")
    lines = [json.loads(line) for line in (corpus / "again/codes.jsonl").read_text().splitlines()]
    assert {line["file"]: line["units"] for line in lines} == {n: s.tolist() for n, s in text.sequences.items()}


def test_what_is_there_is_not_made_again(corpus: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = corpus / "out"
    assert encode(corpus / "rows.jsonl", out, model, "--shards", "3") == 0
    before = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    capsys.readouterr()
    assert encode(corpus / "rows.jsonl", out, model, "--shards", "3") == 0
    assert capsys.readouterr().out.count("there already") == 3
    assert {path.name: path.stat().st_mtime_ns for path in out.iterdir()} == before
    # A recording of another length belongs to one shard; a shard that was cut short is made again.
    soundfile.write(corpus / "audio/s0/u00.wav", np.ones(777) / 9, RATE)
    (out / "codes.00003-of-00003.ids").unlink()
    assert encode(corpus / "rows.jsonl", out, model, "--shards", "3") == 0
    shown = capsys.readouterr().out
    assert shown.count("there already") == 1
    assert "codes.00002-of-00003: there already" in shown


def test_another_model_begins_again(corpus: Path, model: str, tmp_path: Path) -> None:
    network = load_model(model)
    with torch.no_grad():
        network.quantizer.codebook.mul_(-1)
    other = tmp_path / Path(model).name  # the name says nothing, the checksum all
    save_model(network, other)
    out = corpus / "out"
    assert encode(corpus / "rows.jsonl", out, model, "--shards", "2", "--shard", "1") == 0
    assert encode(corpus / "rows.jsonl", out, str(other), "--shards", "2", "--shard", "2") == 0
    assert main(["join", str(out), str(tmp_path / "joined")]) == 2
    assert encode(corpus / "rows.jsonl", out, str(other), "--shards", "2") == 0
    join(out, tmp_path / "joined")


def test_the_same_model_in_a_folder_of_another_name_goes_on(
    corpus: Path,
    model: str,
    tmp_path: Path,
    start: Callable[[list[str]], BaseProcess],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    renamed = shutil.copytree(model, tmp_path / "renamed")
    rows, out = corpus / "rows.jsonl", corpus / "out"
    assert encode(rows, out, model, "--shards", "2", "--shard", "1") == 0
    monkeypatch.setattr(shards, "_BLOCK_ROWS", 2)
    with monkeypatch.context() as patched:  # killed behind two blocks of the second shard
        flush = shard_module.ShardWriter.flush

        def killed(self: shard_module.ShardWriter) -> None:
            flush(self)
            if self.done == 4:
                os.kill(os.getpid(), signal.SIGKILL)

        patched.setattr(shard_module.ShardWriter, "flush", killed)
        process = start(["encode", str(rows), "--out", str(out), "--model", model, "--shards", "2", "--shard", "2"])
        process.join()
    assert process.exitcode == -signal.SIGKILL
    encoded = 0
    encode_waveforms = api.Model.encode_waveforms

    def counted(self: api.Model, waveforms: Sequence[NDArray[np.float32]]) -> list[NDArray[np.int32]]:
        nonlocal encoded
        encoded += len(waveforms)
        return encode_waveforms(self, waveforms)

    monkeypatch.setattr(api.Model, "encode_waveforms", counted)
    capsys.readouterr()
    assert encode(rows, out, str(renamed), "--shards", "2") == 0
    shown = capsys.readouterr()
    assert "codes.00001-of-00002: there already" in shown.out
    assert "begun again" not in shown.err
    second = json.loads((out / "codes.00002-of-00002.json").read_text())
    assert encoded == second["utterances"] - 4
    # The shards bear two names of one model; text of the first join stays with the second's.
    text = join(out, tmp_path / "joined", "--text")
    assert encode(rows, tmp_path / "alone", model, "--shards", "2") == 0
    assert join(tmp_path / "alone", tmp_path / "joined") == text


def test_killed_at_random_again_and_again(
    corpus: Path,
    model: str,
    tmp_path: Path,
    start: Callable[[list[str]], BaseProcess],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A process that is killed with SIGKILL or SIGTERM wherever it is; the files are those of an unbroken run."""
    whole = api.Model.encode_waveforms

    def slow(self: api.Model, waveforms: Sequence[NDArray[np.float32]]) -> list[NDArray[np.int32]]:
        time.sleep(0.05)
        return whole(self, waveforms)

    out = tmp_path / "killed"
    words = ["encode", str(corpus / "rows.jsonl"), "--out", str(out), "--model", model, "--shards", "4"]
    chance = random.Random(0)
    kills = 0
    with monkeypatch.context() as patched:
        patched.setattr(shards, "_BLOCK_ROWS", 2)
        patched.setattr(api.Model, "encode_waveforms", slow)
        for _ in range(12):
            process = start(words)
            assert process.pid is not None
            # Wait until something is being written.
            deadline = time.monotonic() + 60
            while process.is_alive() and time.monotonic() < deadline and not list(out.glob(".*.part")):
                time.sleep(0.01)
            time.sleep(chance.uniform(0, 0.4))
            os.kill(process.pid, chance.choice([signal.SIGKILL, signal.SIGTERM]))
            process.join()
            if process.exitcode == 0:
                break
            kills += 1
    assert kills >= 2
    assert main(words) == 0
    assert encode(corpus / "rows.jsonl", tmp_path / "whole", model, "--shards", "4") == 0
    assert contents(out) == contents(tmp_path / "whole")
    assert join(out, tmp_path / "a") == join(tmp_path / "whole", tmp_path / "b")


def test_what_a_kill_at_the_last_moment_leaves_is_removed(corpus: Path, model: str, tmp_path: Path) -> None:
    words = (corpus / "rows.jsonl", tmp_path / "out", model, "--shards", "1")
    assert encode(*words) == 0
    made = contents(tmp_path / "out")
    name = next(name for name in made if name.endswith("-of-00001.npy"))
    for left in (f".{name}.lock", f".{name.removesuffix('.npy')}.log"):
        (tmp_path / "out" / left).touch()
    assert encode(*words) == 0
    assert contents(tmp_path / "out") == made


def test_folders_and_data_directories(corpus: Path, model: str) -> None:
    assert encode(corpus / "audio", corpus / "folder", model, "--shards", "2") == 0
    join(corpus / "folder", corpus / "joined")
    mapped = codes.MappedCodes(corpus / "joined")
    assert list(mapped.ids())[:2] == ["s0/u00", "s0/u03"]
    assert len(mapped) == 30
    files = sorted((corpus / "audio").rglob("*.wav"))
    DataDir(Utterance(file.stem, file.stem, str(file)) for file in files).write(corpus / "data")
    assert encode(corpus / "data", corpus / "whole", model, "--shards", "7") == 0
    join(corpus / "whole", corpus / "of_data")
    parts = [Utterance(f"a-{n}", "a", str(files[1]), 0.002 * n, 0.002 * n + 0.01, recording_id="r") for n in range(9)]
    DataDir(parts).write(corpus / "segments")
    assert encode(corpus / "segments", corpus / "pieces", model, "--shards", "4") == 0
    join(corpus / "pieces", corpus / "of_segments")
    for name, source in (("of_data", "data"), ("of_segments", "segments")):
        text = corpus / f"{name}.txt"
        assert main(["encode", str(corpus / source), "--model", model, "--out", str(text)]) == 0
        mapped = codes.MappedCodes(corpus / name)
        expected = codes.read(text).sequences
        assert list(mapped.ids()) == list(expected)
        for utterance, sequence in expected.items():
            np.testing.assert_array_equal(mapped[utterance], sequence)


def test_the_places_of_jobs(corpus: Path, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for task in (5, 7, 9):  # --array=5-9:2
        for name, value in (("ID", task), ("MIN", 5), ("COUNT", 3), ("STEP", 2)):
            monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", str(value))
        assert encode(corpus / "rows.jsonl", corpus / "slurm", model, "--shards") == 0
    monkeypatch.delenv("SLURM_ARRAY_TASK_ID")
    monkeypatch.setenv("WORLD_SIZE", "3")
    for rank in range(3):
        monkeypatch.setenv("RANK", str(rank))
        assert encode(corpus / "rows.jsonl", corpus / "torchrun", model, "--shards") == 0
    assert join(corpus / "slurm", corpus / "a") == join(corpus / "torchrun", corpus / "b")
    assert len([name for name in contents(corpus / "slurm") if name.endswith(".json")]) == 3


def test_recordings_that_cannot_be_used(corpus: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    with (corpus / "rows.jsonl").open("a") as rows:
        rows.write(json.dumps({"path": str(corpus / "none.wav"), "id": "gone"}) + "\n")
        rows.write(json.dumps({"path": str(corpus / "audio/s0/u00.wav"), "id": "last"}) + "\n")
    assert encode(corpus / "rows.jsonl", corpus / "out", model, "--shards", "2") == 2
    error = capsys.readouterr().err
    assert "none.wav: no such file" in error
    assert "codes.00002-of-00002.failed" in error
    assert encode(corpus / "rows.jsonl", corpus / "out", model, "--shards", "2") == 2
    found = join(corpus / "out", corpus / "joined")
    assert found["codes.failed"].startswith(b"gone\t")
    assert json.loads(found["codes.json"])["failed"] == 1
    assert list(codes.MappedCodes(corpus / "joined").ids())[-1] == "last"
    # Once it is there, its shard is made again.
    soundfile.write(corpus / "none.wav", np.ones(777) / 9, RATE)
    assert encode(corpus / "rows.jsonl", corpus / "out", model, "--shards", "2") == 0
    assert "codes.failed" not in join(corpus / "out", corpus / "joined")


def test_a_part_that_cannot_be_stops_no_shard(corpus: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    part = {"path": str(corpus / "audio/s0/u00.wav"), "start": 0.03, "end": 0.02, "id": "backwards"}
    with (corpus / "rows.jsonl").open("a") as rows:
        rows.write(json.dumps(part) + "\n" + json.dumps({**part, "start": 0.02, "id": "empty"}) + "\n")
    assert encode(corpus / "rows.jsonl", corpus / "out", model, "--shards", "2") == 2
    assert "ends at 0.02 s, not after its start at 0.03 s" in capsys.readouterr().err
    found = join(corpus / "out", corpus / "joined")
    assert [line.split(b"\t")[0] for line in found["codes.failed"].splitlines()] == [b"backwards", b"empty"]
    assert len(codes.MappedCodes(corpus / "joined")) == 32


def test_files_of_a_folder_that_cannot_be_ids_are_told_of(
    corpus: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    audio, content = corpus / "audio", (corpus / "audio/s0/u00.wav").read_bytes()
    (audio / "two words").mkdir()
    for name in ("my take 1.wav", "two words/a.wav", "s0/u00.aiff"):
        (audio / name).write_bytes(content)
    Path(os.fsdecode(os.fsencode(audio) + b"/not\xffutf8.wav")).write_bytes(content)
    assert encode(audio, corpus / "out", model, "--shards", "2") == 2
    error = capsys.readouterr().err
    assert "my take 1.wav" in error
    assert "another recording is called s0/u00, too" in error
    assert encode(audio, corpus / "out", model, "--shards", "2") == 2
    failed = join(corpus / "out", corpus / "joined")["codes.failed"].decode().splitlines()
    ids = [line.split("\t")[0] for line in failed]
    assert ids == ["my%20take%201.wav", "not%FFutf8.wav", "s0/u00.wav", "two%20words/a.wav"]
    assert len(codes.MappedCodes(corpus / "joined")) == 30


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "no JSON"),
        ("[1]", "no object"),
        ('{"id": "a"}', "path is None"),
        ('{"path": "-", "id": "a"}', "path is '-'"),
        ('{"path": "a.wav", "id": "a b"}', "cannot be an id"),
        ('{"path": "a.wav", "id": "a\\nb"}', "cannot be an id"),
        ('{"path": "a.wav", "start": "x", "id": "a"}', "start is 'x'"),
        ('{"path": "a.wav", "start": NaN, "id": "a"}', "start is nan"),
        ('{"path": "a.wav", "start": 1}', "without an id"),
        ('{"id": "a", "recording": {"sources": []}}', "not a cut"),
        ('{"id": "a", "recording": {"sources": [{"type": "command", "source": "ls"}]}}', "type 'command'"),
    ],
)
def test_rows_that_make_no_sense(
    corpus: Path, model: str, line: str, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with (corpus / "rows.jsonl").open("a") as rows:
        rows.write(line + "\n")
    assert encode(corpus / "rows.jsonl", corpus / "out", model, "--shards", "2", "--shard", "2") == 2
    error = capsys.readouterr().err
    assert "rows.jsonl:33: " in error
    assert problem in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--shards"], "of how many shards"),
        (["--shards", "3", "--shard", "4"], "--shard 4 of 3"),
        (["--shards", "3", "--shard", "0"], "'0' is not a whole number from 1"),
        (["--shards", "2", "rows.jsonl"], "2 sources"),
        (["--shards", "2", "--pitch", "f0.txt"], "--pitch with --shards"),
    ],
)
def test_options_that_make_no_sense(
    corpus: Path, model: str, words: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert encode(corpus / "rows.jsonl", corpus / "out", model, *words) == 2
    assert problem in capsys.readouterr().err


def test_joining_what_does_not_belong_together(
    corpus: Path, model: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = corpus / "out"

    def refused(problem: str, *words: str) -> None:
        assert main(["join", str(out), str(tmp_path / "joined"), *words]) == 2
        error = capsys.readouterr().err
        assert problem in error
        assert error.count("\n") == 1
        assert not (tmp_path / "joined").exists()

    out.mkdir()
    assert main(["join", str(out), str(corpus / "rows.jsonl")]) == 2
    assert "rows.jsonl: is a file, not a folder" in capsys.readouterr().err
    refused("no finished shards")
    assert encode(corpus / "rows.jsonl", out, model, "--shards", "3", "--shard", "2") == 0
    capsys.readouterr()
    refused("codes.00001-of-00003 and 1 more of 3 not finished")
    assert encode(corpus / "rows.jsonl", out, model, "--shards", "1") == 0
    capsys.readouterr()
    refused("shards of several sets, 1 and 3")
    array = out / "codes.00001-of-00001.npy"
    whole = array.read_bytes()
    array.write_bytes(whole[:-1])
    refused("cut short", "--shards", "1")
    array.write_bytes(b"x" + whole[1:])
    refused("cut short", "--shards", "1")
    rows = (corpus / "rows.jsonl").read_text()
    (corpus / "rows.jsonl").write_text(rows + rows.splitlines()[4] + "\n")
    assert encode(corpus / "rows.jsonl", out, model, "--shards", "2") == 0
    capsys.readouterr()
    last = json.loads((out / "codes.00002-of-00002.json").read_text())["utterances"]
    both = f"line 5 of codes.00001-of-00002.ids and {last} of codes.00002-of-00002.ids"
    refused(f"utterance u04 is there twice: {both}", "--shards", "2")


def test_ids_that_are_there_twice_are_found_before_anything_is_encoded(
    corpus: Path, model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (corpus / "rows.jsonl").read_text().splitlines(keepends=True)
    first, other = (json.loads(lines[number]) for number in (0, 30))
    lines += [json.dumps({**other, "id": first["id"]}) + "\n"]
    (corpus / "rows.jsonl").write_text("".join(lines))

    def never(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(api.Model, "encode_waveforms", never)
    assert encode(corpus / "rows.jsonl", corpus / "out", model, "--shards", "1") == 2
    error = capsys.readouterr().err
    assert f"rows.jsonl: u00 is there twice: {first['path']}, and {first['path']} from 0 s to 0.02 s" in error
    assert main(["validate", str(corpus / "rows.jsonl")]) == 1
    shown = capsys.readouterr().out
    assert f"u00 is there twice: {first['path']}, and {first['path']} from 0 s to 0.02 s" in shown
    assert "rows.jsonl: 1 fault\n" in shown


def test_text_of_other_codes_is_not_left_beside_new_ones(
    corpus: Path, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    joined = tmp_path / "joined"
    assert encode(corpus / "rows.jsonl", corpus / "out", model, "--shards", "2") == 0
    text = join(corpus / "out", joined, "--text", "--jsonl")
    assert join(corpus / "out", joined) == text  # of these codes it may stay
    (corpus / "rows.jsonl").write_text("".join((corpus / "rows.jsonl").read_text().splitlines(keepends=True)[:9]))
    assert encode(corpus / "rows.jsonl", corpus / "out", model, "--shards", "2") == 0
    capsys.readouterr()
    for words, left in (((), "codes.txt"), (("--text",), "codes.jsonl")):
        assert main(["join", str(corpus / "out"), str(joined), *words]) == 2
        assert f"{left}: of other codes" in capsys.readouterr().err
        assert contents(joined) == text
    assert join(corpus / "out", joined, "--text", "--jsonl")["codes.txt"].count(b"\n") == 9


def test_a_join_that_is_killed_leaves_no_mixture(
    corpus: Path, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    joined = tmp_path / "joined"
    assert encode(corpus / "rows.jsonl", corpus / "out", model, "--shards", "2") == 0
    join(corpus / "out", joined)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(mapped_codes, "_copy_failed", killed)
        with pytest.raises(KeyboardInterrupt):
            codes.join_shards(corpus / "out", joined)
    with pytest.raises(InputError, match=r"codes\.json"):
        codes.MappedCodes(joined)


def test_a_shard_that_is_made_anew_is_no_more_the_old_one(
    corpus: Path, model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (corpus / "rows.jsonl", corpus / "out", model, "--shards", "1")
    assert encode(*words) == 0
    rows = (corpus / "rows.jsonl").read_text()
    (corpus / "rows.jsonl").write_text("".join(reversed(rows.splitlines(keepends=True))))
    header = shard_module.header

    def killed(kind: DTypeLike, count: int) -> bytes:
        if kind != RECORD:  # index and ids have their names then, the codes not yet
            raise OSError("killed")
        return header(kind, count)

    with monkeypatch.context() as patched:
        patched.setattr(shard_module, "header", killed)
        assert encode(*words) == 2
    (corpus / "rows.jsonl").write_text(rows)
    capsys.readouterr()
    assert encode(*words) == 0
    assert "32 utterances" in capsys.readouterr().out
    assert next(codes.MappedCodes(corpus / "out/codes.00001-of-00001.npy").ids()) == "u00"


def test_joined_codes_become_other_systems_units(corpus: Path, model: str, tmp_path: Path) -> None:
    joined = tmp_path / "joined"
    assert encode(corpus / "rows.jsonl", corpus / "out", model, "--shards", "2") == 0
    text = join(corpus / "out", joined, "--text")["codes.txt"]
    for source in (joined, joined / "codes.npy"):
        assert main(["convert-units", str(source), str(tmp_path / "again.txt"), "--to", "codes"]) == 0
        assert (tmp_path / "again.txt").read_bytes() == text
    info = codes.read_info(joined / "codes.txt")
    assert codes.read_info(tmp_path / "again.txt") == info
    assert codes.import_units(joined, frame_period=0.5).info.frame_period == 0.5


def test_shards_of_a_manifest_before_and_after_a_change_are_not_joined(
    corpus: Path, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = corpus / "rows.jsonl"
    assert encode(manifest, corpus / "out", model, "--shards", "2") == 0
    manifest.write_text(manifest.read_text().replace("u00.wav", "u03.wav"))  # as long as it was
    assert encode(manifest, corpus / "out", model, "--shards", "2", "--shard", "1") == 0
    assert main(["join", str(corpus / "out"), str(tmp_path / "joined")]) == 2
    assert "of another source" in capsys.readouterr().err
    assert encode(manifest, corpus / "out", model, "--shards", "2") == 0
    join(corpus / "out", tmp_path / "joined")
