"""Damaged sources and products of encoding: manifests, Shar, shards, memory maps, contours, what a kill left."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fuzz_limits import CASES, SEED, survives
from fuzz_mutation import mutants

from vqspeech import audio, codes
from vqspeech.codes.shard import ShardWriter
from vqspeech.encoding import open_rows
from vqspeech.encoding.tar_member import Member

INFO = codes.CodeInfo(512, 0.01, 0.005, model="m", checksum="c")
ROWS = b'{"path": "a.flac", "start": 0.0, "end": 0.5, "id": "a"}\n{"path": "b.wav"}\n'
CUTS = b"".join(
    json.dumps({
        "id": f"cut-{n}", "start": 0.1 * n, "duration": 0.1, "channel": 0, "type": "MonoCut",
        "recording": {"id": "r", "duration": 1.0, "sources": [{"type": "file", "channels": [0], "source": "a.wav"}]},
    }).encode() + b"\n"
    for n in range(3)
)  # fmt: skip


def damaged_alike(path: Path, call: object) -> None:
    """Damage a file again and again, and use what it is a part of."""
    assert callable(call)
    content = path.read_bytes()
    assert survives(call, "sound")
    for number, mutant in enumerate(mutants(content, seed=SEED, count=CASES)):
        path.write_bytes(mutant)
        survives(call, f"{path.name}, seed {SEED}, case {number}")
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "content"),
    [("rows.jsonl", ROWS), ("cuts.jsonl", CUTS), ("rows.jsonl.gz", gzip.compress(ROWS, mtime=0))],
)
def test_manifests(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)

    def rows() -> object:
        return [row.identity() for shard in (1, 2) for row in open_rows(tmp_path / name, tmp_path).of_shard(shard, 2)]

    damaged_alike(tmp_path / name, rows)


def test_parquet_manifests(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow (extra parquet) is not installed")
    from pyarrow import parquet

    table = pyarrow.table({"path": ["a.flac", "b.wav"], "start": [0.0, 1.0], "end": [0.5, 2.0], "id": ["a", "b"]})
    parquet.write_table(table, tmp_path / "rows.parquet")
    damaged_alike(
        tmp_path / "rows.parquet", lambda: list(open_rows(tmp_path / "rows.parquet", tmp_path).of_shard(1, 1))
    )


@pytest.mark.parametrize("name", ["cuts.000000.jsonl.gz", "recording.000000.tar"])
def test_shar(tmp_path: Path, name: str) -> None:
    sound = io.BytesIO()
    soundfile.write(sound, 0.1 * np.sin(np.arange(1600) / 5), 16_000, format="FLAC")
    shar = tmp_path / "shar"
    shar.mkdir()
    cuts = [{"id": f"u{n}", "start": 0.0, "duration": 0.1, "channel": 0, "type": "MonoCut"} for n in range(2)]
    lines = b"".join(json.dumps(cut).encode() + b"\n" for cut in cuts)
    (shar / "cuts.000000.jsonl.gz").write_bytes(gzip.compress(lines, mtime=0))
    with tarfile.open(shar / "recording.000000.tar", "w") as tar:
        for cut in cuts:
            for suffix, content in ((".flac", sound.getvalue()), (".json", b"{}")):
                entry = tarfile.TarInfo(f"{cut['id']}{suffix}")
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))

    def rows() -> object:
        read = []
        for row in open_rows(shar, tmp_path).of_shard(1, 1):
            assert isinstance(row.recording, Member)
            with row.recording.open() as file:
                read.append(audio.read(file))
        return read

    damaged_alike(shar / name, rows)


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """A folder with both shards of four utterances."""
    folder = tmp_path / "shards"
    for shard in (1, 2):
        with ShardWriter(folder, INFO, shard=shard, shards=2, source="s") as writer:
            for n in range(2):
                writer.append(f"u{shard}-{n}", np.arange(3 * n, dtype=np.int32), 0.03 * n)
    return folder


def test_joining_of_shards(shards: Path, tmp_path: Path) -> None:
    def joined() -> object:
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        codes.join_shards(shards, tmp_path / "out")
        return dict(codes.MappedCodes(tmp_path / "out").items())

    for path in sorted(shards.iterdir()):
        damaged_alike(path, joined)


def test_memory_maps(shards: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    codes.join_shards(shards, out)
    for path in sorted(out.iterdir()):
        damaged_alike(path, lambda: [int(one.sum()) for _, one in codes.MappedCodes(out).items()])


@pytest.mark.parametrize("name", ["f0.txt", "f0.json"])
def test_contours(tmp_path: Path, name: str) -> None:
    (tmp_path / "f0.txt").write_bytes(b"u1 0 0 120.5 121\nu2 99.25\nu3\n")
    (tmp_path / "f0.json").write_bytes(b'{"frame_period": 0.004, "offset": 0.002}\n')
    damaged_alike(tmp_path / name, lambda: codes.read_contours(tmp_path / "f0.txt"))


@pytest.mark.parametrize("name", ["codes.txt.partial", "codes.json.partial"])
def test_what_a_killed_encoding_left(tmp_path: Path, name: str) -> None:
    """Whatever it is, the next run begins again or goes on, and writes an archive that is read."""
    place = tmp_path / "codes.txt"

    def encoded() -> object:
        with codes.Writer(place, INFO, ["u1", "u2"]) as writer:
            for utterance in ("u1", "u2"):
                if utterance not in writer.done:
                    writer.append(utterance, [1, 2, 3])
        found = codes.read(place).sequences
        assert {"u1", "u2"} <= found.keys()
        return found

    def killed() -> None:
        with codes.Writer(place, INFO, ["u1", "u2"]) as writer:
            writer.append("u1", [1, 2, 3])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        killed()
    left = {file.name: file.read_bytes() for file in tmp_path.glob("*.partial")}
    assert name in left
    for number, mutant in enumerate(mutants(left[name], seed=SEED, count=CASES)):
        for file, content in left.items():
            (tmp_path / file).write_bytes(content)
        (tmp_path / name).write_bytes(mutant)
        survives(encoded, f"{name}, seed {SEED}, case {number}")
