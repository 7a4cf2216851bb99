"""Lhotse's Shar, written by lhotse: the codes of its cuts' audio, read lazily; whatever is damaged is named."""

from __future__ import annotations

import gzip
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from vqspeech import codes
from vqspeech.cli.main import main
from vqspeech.encoding import open_rows
from vqspeech.encoding.tar_member import Member
from vqspeech.errors import InputError

lhotse = pytest.importorskip("lhotse", reason="needs lhotse: pip install 'vqspeech[train]'")


@pytest.fixture
def cuts(tmp_path: Path) -> Any:
    """Ten cuts, some of them parts of recordings."""
    generator = np.random.default_rng(0)
    found = []
    for number in range(10):
        path = tmp_path / f"r{number}.wav"
        soundfile.write(path, 0.1 * generator.standard_normal(6000 + 700 * number), 16_000)
        cut = lhotse.Recording.from_file(path).to_cut().with_id(f"u.{number}")
        if number % 3 == 0:
            cut = cut.truncate(offset=0.125, duration=0.25, preserve_id=True)
        found.append(cut)
    return lhotse.CutSet.from_cuts(found)


@pytest.fixture
def shar(cuts: Any, tmp_path: Path) -> Path:
    (tmp_path / "shar").mkdir()
    cuts.to_shar(tmp_path / "shar", fields={"recording": "flac"}, shard_size=3)
    return tmp_path / "shar"


def joined(source: Path, out: Path, model: str, shards: int) -> dict[str, bytes]:
    for shard in range(1, shards + 1):
        words = ["--model", model, "--shards", str(shards), "--shard", str(shard)]
        assert main(["encode", str(source), "--out", str(out), *words]) == 0
    assert main(["join", str(out), str(out / "joined")]) == 0
    return {path.name: path.read_bytes() for path in (out / "joined").iterdir() if path.suffix != ".json"}


def test_codes_are_those_of_the_cuts(cuts: Any, shar: Path, tmp_path: Path, model: str) -> None:
    assert len(list(shar.glob("recording.*.tar"))) == 4
    wholes = [joined(shar, tmp_path / f"out{shards}", model, shards) for shards in (1, 3, 9)]
    assert wholes[0] == wholes[1] == wholes[2]
    cuts.to_file(tmp_path / "cuts.jsonl.gz")
    # FLAC of 16 bits is what the WAV files are.
    assert joined(tmp_path / "cuts.jsonl.gz", tmp_path / "manifest", model, 2) == wholes[0]
    mapped = codes.MappedCodes(tmp_path / "out1" / "joined")
    assert list(mapped.ids()) == [f"u.{number}" for number in range(10)]


def test_no_audio_is_read_before_it_is_encoded(shar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with gzip.open(shar / "cuts.000003.jsonl.gz", "wb") as other:
        other.write(b"not JSON")

    def never(*_: object) -> None:
        raise AssertionError("read")

    monkeypatch.setattr(Member, "open", never)
    rows = list(open_rows(shar, tmp_path).of_shard(1, 4))  # the last file is another shard's
    assert [row.id for row in rows] == ["u.0", "u.1", "u.2"]
    assert all(isinstance(row.recording, Member) and 0 < row.recording.size < 30_000 for row in rows)


def test_cuts_without_recordings_are_told_of(cuts: Any, tmp_path: Path, model: str) -> None:
    (tmp_path / "shar").mkdir()
    mixed = [lhotse.utils.fastcopy(cut, recording=None) if cut.id == "u.4" else cut for cut in cuts]
    with lhotse.shar.SharWriter(tmp_path / "shar", fields={"recording": "wav"}, shard_size=5) as writer:
        for cut in mixed:
            writer.write(cut)
    words = ["encode", str(tmp_path / "shar"), "--out", str(tmp_path / "out"), "--model", model, "--shards", "1"]
    assert main(words) == 2
    failed = (tmp_path / "out" / "codes.00001-of-00001.failed").read_text()
    assert failed.startswith("u.4\t")
    assert failed.count("\n") == 1
    assert "without audio" in failed


def shorter(path: Path) -> None:
    with gzip.open(path / "cuts.000000.jsonl.gz") as file:
        lines = file.readlines()
    with gzip.open(path / "cuts.000000.jsonl.gz", "wb") as other:
        other.writelines(lines[:-1])


def other_order(path: Path) -> None:
    (path / "recording.000000.tar").write_bytes((path / "recording.000001.tar").read_bytes())


def no_tar(path: Path) -> None:
    (path / "recording.000000.tar").write_bytes(b"x" * 2000)


def no_audio(path: Path) -> None:
    (path / "recording.000000.tar").unlink()


def a_link(path: Path) -> None:
    with tarfile.open(path / "recording.000000.tar", "w") as tar:
        link = tarfile.TarInfo("u.0.flac")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (shorter, "fewer cuts than recording.000000.tar has recordings"),
        (other_order, "u.0, but recording.000000.tar has u.3"),
        (no_tar, "not a tar file"),
        (no_audio, "no recording.000000.tar beside cuts.000000"),
        (a_link, "not a tar file"),
    ],
)
def test_damage_is_named(shar: Path, tmp_path: Path, damage: Any, problem: str) -> None:
    damage(shar)
    with pytest.raises(InputError) as caught:
        list(open_rows(shar, tmp_path).of_shard(1, 1))
    assert problem in str(caught.value)


def test_ids_with_folders_in_them(cuts: Any, tmp_path: Path) -> None:
    named = lhotse.CutSet.from_cuts(cut.with_id(f"speaker/{cut.id}") for cut in cuts)
    (tmp_path / "shar").mkdir()
    named.to_shar(tmp_path / "shar", fields={"recording": "flac"}, shard_size=5)
    rows = open_rows(tmp_path / "shar", tmp_path).of_shard(1, 1)
    assert [row.id for row in rows] == [f"speaker/u.{number}" for number in range(10)]
