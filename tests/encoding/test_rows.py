"""Rows of every kind of source: the rows of all shards, one after the other, are all rows."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vqspeech.encoding import Row, open_rows, place_of_this_job
from vqspeech.encoding.lines import lines_of
from vqspeech.errors import InputError

ROWS = [Row(f"u{n}", f"/a/{n}.wav", *((0.5, 0.75 + n) if n % 2 else (None, None))) for n in range(57)]


def values(row: Row) -> dict[str, object]:
    return {"id": row.id, "path": row.recording, "start": row.start, "end": row.end}


@given(st.lists(st.binary(max_size=9).map(lambda raw: raw.replace(b"\n", b"x")), max_size=20), st.integers(1, 30))
def test_each_line_is_in_one_shard(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], shards: int) -> None:
    path = tmp_path_factory.mktemp("lines") / "a"
    for end in (b"\n", b""):
        path.write_bytes(b"\n".join(lines) + end)
        found = [line for shard in range(1, shards + 1) for line in lines_of(path, shard, shards)]
        assert found == list(lines_of(path, 1, 1))
        assert [raw.removesuffix(b"\n") for _, raw in found] == [line for line in lines if line.strip()]


@pytest.mark.parametrize("kind", ["jsonl", "jsonl.gz", "parquet"])
@pytest.mark.parametrize("shards", [1, 3, 80])
def test_manifests(kind: str, shards: int, tmp_path: Path) -> None:
    path = tmp_path / f"rows.{kind}"
    text = "".join(json.dumps(values(row)) + "\n" for row in ROWS).encode()
    if kind == "parquet":
        pyarrow = pytest.importorskip("pyarrow", reason="pip install 'vqspeech[parquet]'")
        parquet = pytest.importorskip("pyarrow.parquet")
        parquet.write_table(pyarrow.Table.from_pylist([*map(values, ROWS)]), path, row_group_size=10)
    else:
        path.write_bytes(gzip.compress(text) if kind.endswith("gz") else text)
    rows = open_rows(path, tmp_path)
    assert [row for shard in range(1, shards + 1) for row in rows.of_shard(shard, shards)] == ROWS


def test_cuts_of_lhotse(tmp_path: Path) -> None:
    lhotse = pytest.importorskip("lhotse")
    recording = lhotse.Recording("r", [lhotse.audio.AudioSource("file", [0], "/a/r.flac")], 16_000, 160_000, 10.0)
    cut = recording.to_cut()
    cuts = [cut, cut.truncate(offset=1.5, duration=2.25, preserve_id=False)]
    path = tmp_path / "cuts.jsonl.gz"
    lhotse.CutSet.from_cuts(cuts).to_file(path)
    found = list(open_rows(path, tmp_path).of_shard(1, 1))
    assert found == [Row(cuts[0].id, "/a/r.flac"), Row(cuts[1].id, "/a/r.flac", 1.5, 3.75)]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.txt", b"", "no source of rows"),
        ("a.jsonl.gz", b"{}", "no gzip file"),
        ("a.parquet", b"{}", "no Parquet file"),
        ("a.jsonl", b"\xff\n", "no JSON"),
        ("a.jsonl", b"x" * (1 << 20) + b"y\n", "a line of more than"),
    ],
)
def test_files_that_are_no_manifests(name: str, content: bytes, problem: str, tmp_path: Path) -> None:
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow", reason="pip install 'vqspeech[parquet]'")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=problem):
        list(open_rows(tmp_path / name, tmp_path).of_shard(1, 1))


def test_a_segment_of_no_recording(tmp_path: Path) -> None:
    (tmp_path / "wav.scp").write_text("a /a.wav\n")
    (tmp_path / "segments").write_text("a-1 a 0 1\nb-1 b 0 1\n")
    with pytest.raises(InputError, match=r"segments:2: no recording b"):
        list(open_rows(tmp_path, tmp_path).of_shard(1, 1))
    (tmp_path / "segments").write_text("a-1 a 0\n")
    with pytest.raises(InputError, match=r"segments:1: expected"):
        list(open_rows(tmp_path, tmp_path).of_shard(1, 1))


@pytest.mark.parametrize(
    "environment",
    [
        {"RANK": "3", "WORLD_SIZE": "3"},
        {"RANK": "x", "WORLD_SIZE": "3"},
        {"SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_COUNT": "3"},
        {"SLURM_ARRAY_TASK_ID": "7"},
    ],
)
def test_places_that_cannot_be(environment: dict[str, str]) -> None:
    with pytest.raises(InputError, match="give --shards N"):
        place_of_this_job(environment)
    assert place_of_this_job({}) is None


ARRAY = {"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_COUNT": "4"}
STEP = {"SLURM_PROCID": "5", "SLURM_STEP_NUM_TASKS": "8"}
TORCHRUN = {"RANK": "1", "WORLD_SIZE": "2"}


@pytest.mark.parametrize(
    ("environment", "place"),
    [
        (ARRAY, (3, 4)),
        (STEP, (6, 8)),
        (TORCHRUN, (2, 2)),
        (ARRAY | STEP, (2 * 8 + 6, 32)),
        (ARRAY | TORCHRUN, (2 * 2 + 2, 8)),
        (STEP | TORCHRUN, (2, 2)),
        (ARRAY | {"SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "1"}, (3, 4)),
        ({"SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "1"}, None),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "8"}, None),  # the script of a job, without srun
    ],
)
def test_processes_of_a_job_array(environment: dict[str, str], place: tuple[int, int] | None) -> None:
    assert place_of_this_job(environment) == place
