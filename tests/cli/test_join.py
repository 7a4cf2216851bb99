"""vqspeech split --into and join: what jobs make of the shards, joined, is what one job would have made."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vqspeech import codes
from vqspeech.cli.main import main
from vqspeech.datadir import DataDir, Utterance, shards
from vqspeech.errors import InputError

INFO = codes.CodeInfo(64, 0.01, 0.005, "m", "sha256:1")


def data_of(number: int) -> DataDir:
    return DataDir(Utterance(f"s{n % 3}-{n:03}", f"s{n % 3}", f"/a/{n}.wav", text=f"word {n}") for n in range(number))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    data_of(23).write(tmp_path / "data")
    return tmp_path


@given(st.integers(1, 40), st.integers(1, 40))
def test_pieces_are_spans_of_nearly_equal_length(number: int, wanted: int) -> None:
    data = data_of(number)
    if wanted > number:
        with pytest.raises(InputError, match="fewer shards"):
            shards(data, wanted)
        return
    found = shards(data, wanted)
    assert [u for shard in found for u in shard] == list(data)
    sizes = [len(shard) for shard in found]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("into", [1, 4, 11, 23])
def test_joined_pieces_are_the_whole_byte_for_byte(folder: Path, into: int) -> None:
    data = DataDir.read(folder / "data")
    rows = {u.id: np.arange(n % 7) for n, u in enumerate(data)}
    codes.write(folder / "whole" / "codes.txt", codes.Codes(INFO, rows))
    (folder / "whole" / "phones.ctm").write_text(
        "".join(f"{u.id} 1 0 {n} a\n{u.id} 1 {n} 1 b\n" for n, u in enumerate(data))
    )
    split = folder / "split"
    assert main(["split", str(folder / "data"), str(split), "--into", str(into)]) == 0
    lines = (folder / "whole" / "phones.ctm").read_text().splitlines(keepends=True)
    for number in range(1, into + 1):
        shard = DataDir.read(split / str(number))
        codes.write(split / str(number) / "codes.txt", codes.Codes(INFO, {u.id: rows[u.id] for u in shard}))
        (split / str(number) / "phones.ctm").write_text("".join(line for line in lines if line.split()[0] in shard))
    assert main(["join", str(split), str(folder / "joined"), "codes.txt", "phones.ctm"]) == 0
    for name in ("codes.txt", "codes.json", "phones.ctm"):
        assert (folder / "joined" / name).read_bytes() == (folder / "whole" / name).read_bytes()


def split_in_two(folder: Path) -> tuple[Path, Path, Path]:
    split = folder / "split"
    assert main(["split", str(folder / "data"), str(split), "--into", "2"]) == 0
    return split, split / "1", split / "2"


def test_a_piece_without_the_table_is_told_of(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    split, first, _ = split_in_two(folder)
    (first / "phones.ctm").write_text("s0-000 1 0 1 a\n")
    assert main(["join", str(split), str(folder / "out"), "phones.ctm"]) == 2
    assert "split/2/phones.ctm: this shard has none" in capsys.readouterr().err
    assert not (folder / "out").exists()


def test_an_optional_table_may_be_missing(folder: Path) -> None:
    split, first, _ = split_in_two(folder)
    out = folder / "out"
    (first / "align.failed").write_text("s0-000 no text\n")
    assert main(["join", str(split), str(out), "--optional", "align.failed"]) == 0
    assert (out / "align.failed").read_text() == "s0-000 no text\n"
    (first / "align.failed").unlink()
    assert main(["join", str(split), str(out), "--optional", "align.failed"]) == 0
    assert not (out / "align.failed").exists()


@pytest.mark.parametrize(
    ("second", "problem"),
    [("s0-000 1 2\n", "is in another shard too"), ("s2-001 1 2", "cut short")],
)
def test_faults_of_a_table(folder: Path, second: str, problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    split, one, two = split_in_two(folder)
    (one / "a").write_text("s0-000 1\n")
    (two / "a").write_text(second)
    assert main(["join", str(split), str(folder / "out"), "a"]) == 2
    error = capsys.readouterr().err
    assert "split/2/a:1: " in error
    assert problem in error


def test_codes_of_two_models_are_not_joined(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    split, one, two = split_in_two(folder)
    codes.write(one / "codes.txt", codes.Codes(INFO, {"s0-000": np.arange(3)}))
    codes.write(two / "codes.txt", codes.Codes(INFO, {"s2-001": np.arange(3)}))
    (two / "codes.json").write_text(json.dumps({"codebook_size": 65}))
    assert main(["join", str(split), str(folder / "out"), "codes.txt"]) == 2
    assert "make all shards with one model" in capsys.readouterr().err


def test_missing_pieces(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "split" / "1").mkdir(parents=True)
    (folder / "split" / "3").mkdir()
    assert main(["join", str(folder / "split"), str(folder / "out"), "a"]) == 2
    assert "shard 2 is missing" in capsys.readouterr().err
    assert main(["join", str(folder / "data"), str(folder / "out"), "a"]) == 2
    assert "no shards" in capsys.readouterr().err
