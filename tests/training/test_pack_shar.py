"""``vqspeech pack`` of lhotse's Shar, written by lhotse, and of manifests: lazily, shard by shard, resumable."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from small_training import CHANGES, voice

from vqspeech.cli.main import main
from vqspeech.datadir import DataDir, Utterance
from vqspeech.encoding import Row, open_rows
from vqspeech.encoding.shar import Shar
from vqspeech.encoding.tar_member import Member
from vqspeech.errors import InputError
from vqspeech.training.pack import Pack, read_pack, write_pack
from vqspeech.training.pack.reading import Job, Loaded, Loader, load_all

lhotse = pytest.importorskip("lhotse", reason="needs lhotse: pip install 'vqspeech[train]'")

RATE = 16_000
#: Speakers of utterances in the order of the corpus, as shuffled as a Shar is.
ORDER = ["bob", "ann", "cyd", "ann", "bob", "ann", "cyd", "bob", "ann", "bob"]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Ten recordings and a data directory of them."""
    utterances = []
    for number, speaker in enumerate(ORDER):
        path = tmp_path / f"{speaker}-{number}.wav"
        soundfile.write(path, voice(6000 + 700 * number, number, RATE), RATE)
        utterances.append(Utterance(id=path.stem, speaker=speaker, recording=str(path)))
    DataDir(utterances).write(tmp_path / "data")
    return tmp_path


@pytest.fixture
def cuts(corpus: Path) -> Any:
    """The same as lhotse's cuts, with supervisions."""
    found = []
    for number, speaker in enumerate(ORDER):
        recording = lhotse.Recording.from_file(corpus / f"{speaker}-{number}.wav")
        said = lhotse.SupervisionSegment(recording.id, recording.id, 0.0, recording.duration, speaker=speaker)
        cut = recording.to_cut().with_id(recording.id)
        found.append(lhotse.utils.fastcopy(cut, supervisions=[said]))
    return lhotse.CutSet.from_cuts(found)


@pytest.fixture
def shar(cuts: Any, corpus: Path) -> Path:
    """The same in a Shar of four files."""
    (corpus / "shar").mkdir()
    cuts.to_shar(corpus / "shar", fields={"recording": "flac"}, shard_size=3)
    return corpus / "shar"


def by_id(pack: Pack) -> dict[str, tuple[str, bytes, bytes]]:
    """Speaker, samples and perturbed copy of each utterance."""
    found, start = {}, 0
    speakers = np.searchsorted(pack.speaker_ends, pack.ends[:], side="left")  # (utterances,)
    for name, stop, speaker in zip(pack.utterances, pack.ends[:].tolist(), speakers.tolist(), strict=True):
        found[name] = (
            pack.speakers[speaker],
            np.asarray(pack.samples[start:stop]).tobytes(),
            np.asarray(pack.perturbed[0][start:stop]).tobytes(),
        )
        start = stop
    return found


WORDS = ("--jobs", "1", "--perturbed-copies", "1")


@pytest.mark.parametrize("kind", ["shar", "cuts.jsonl.gz", "rows.jsonl", "rows.parquet"])
def test_packs_hold_what_those_of_a_data_directory_do(kind: str, cuts: Any, shar: Path, corpus: Path) -> None:
    rows = [{"path": str(corpus / f"{s}-{n}.wav"), "speaker": s} for n, s in enumerate(ORDER)]
    if kind == "cuts.jsonl.gz":
        cuts.to_file(corpus / kind)
    elif kind == "rows.jsonl":
        (corpus / kind).write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif kind == "rows.parquet":
        pyarrow = pytest.importorskip("pyarrow", reason="needs pyarrow: pip install 'vqspeech[parquet]'")
        pytest.importorskip("pyarrow.parquet").write_table(pyarrow.Table.from_pylist(rows), corpus / kind)
    assert main(["pack", str(corpus / "data"), str(corpus / "data.pack"), *WORDS]) == 0
    assert main(["pack", str(corpus / kind), str(corpus / "whole.pack"), *WORDS]) == 0
    assert main(["pack", str(corpus / kind), str(corpus / "packs"), "--shards", "3", *WORDS]) == 0
    expected, whole, parts = (read_pack(corpus / name) for name in ("data.pack", "whole.pack", "packs"))
    assert parts.speakers == whole.speakers == expected.speakers == ("ann", "bob", "cyd")
    assert by_id(parts) == by_id(whole) == by_id(expected)
    assert tuple(whole.utterances) == tuple(expected.utterances)
    before = {path: path.stat().st_mtime_ns for path in (corpus / "packs").iterdir()}
    assert main(["pack", str(corpus / kind), str(corpus / "packs"), "--shards", "3", *WORDS]) == 0
    assert {path: path.stat().st_mtime_ns for path in (corpus / "packs").iterdir()} == before


def test_a_model_trains_on_packs_of_a_shar(shar: Path, corpus: Path) -> None:
    words = ["--shards", "2", "--sample-rate", "8000", "--jobs", "1"]
    assert main(["pack", str(shar), str(corpus / "packs"), *words]) == 0
    packs = ["--data", str(corpus / "packs"), "--dev", str(corpus / "packs")]
    assert main(["train", "tiny", *packs, "--out", str(corpus / "exp"), "--device", "cpu", *CHANGES]) == 0
    assert (corpus / "exp/checkpoints/best/speakers.txt").read_text().split() == ["ann", "bob", "cyd"]


def test_a_shard_reads_its_own_files_alone(shar: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with gzip.open(shar / "cuts.000003.jsonl.gz", "wb") as other:
        other.write(b"not JSON")
    opened: list[str] = []
    real = Member.open
    monkeypatch.setattr(Member, "open", lambda member: (opened.append(member.name), real(member))[1])
    pack = write_pack(open_rows(shar, corpus), corpus / "1.pack", sample_rate=RATE, rms=0.06, shard=(1, 4))
    assert sorted(pack.utterances) == ["ann-1", "bob-0", "cyd-2"]
    assert sorted(Path(name).stem for name in opened) == ["ann-1", "bob-0", "cyd-2"]


class Killed(BaseException):
    """What ends a process at once."""


def test_interrupted_it_goes_on_to_the_same_bytes(shar: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, words = open_rows(shar, corpus), {"sample_rate": RATE, "rms": 0.06, "leave_out": True}
    damage(shar)
    write_pack(rows, corpus / "whole.pack", **words)
    done: list[str] = []
    load = Loader._load

    def until_then(loader: Loader, job: Job) -> Loaded:
        if len(done) == 6:
            raise Killed
        done.append(job.id)
        return load(loader, job)

    with monkeypatch.context() as context:
        context.setattr(Loader, "_load", until_then)
        with pytest.raises(Killed):
            write_pack(rows, corpus / "broken.pack", **words)
    # What kill -9 between a fault and its place in the journal leaves behind.
    with (corpus / "broken.pack.partial/failed").open("a") as file:
        file.write("ann-8\tagain\n")
    done.clear()
    monkeypatch.setattr(Loader, "_load", lambda loader, job: (done.append(job.id), load(loader, job))[1])
    write_pack(rows, corpus / "broken.pack", **words)
    assert len(done) == 4
    for suffix in ("", ".failed"):
        assert (corpus / f"broken.pack{suffix}").read_bytes() == (corpus / f"whole.pack{suffix}").read_bytes()


def test_killed_when_the_pack_is_there_nothing_is_left_in_the_end(
    shar: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage(shar)
    rows = open_rows(shar, corpus)
    words: dict[str, Any] = {"sample_rate": RATE, "rms": 0.06, "leave_out": True, "keep": True, "shard": (1, 2)}

    def kill(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as context:
        context.setattr(shutil, "rmtree", lambda _, ignore_errors=False: ignore_errors or kill())
        with pytest.raises(Killed):
            write_pack(rows, corpus / "1.pack", **words)
    assert (corpus / "1.pack").exists()
    assert (corpus / "1.pack.failed").read_text().startswith("bob-0\t")
    assert (corpus / "1.pack.partial").exists()
    write_pack(rows, corpus / "1.pack", **words)
    assert not (corpus / "1.pack.partial").exists()


def damage(shar: Path) -> None:
    """Overwrite the first recording."""
    first = next(Shar.find(shar).of_shard(1, 4))  # type: ignore[union-attr]
    assert isinstance(first.recording, Member)
    with first.recording.tar.open("r+b") as tar:
        tar.seek(first.recording.start)
        tar.write(bytes(first.recording.size))


def test_a_recording_that_cannot_be_used_is_left_out_and_named(
    shar: Path, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(shar)
    assert main(["pack", str(shar), str(corpus / "packs"), "--shards", "2", "--jobs", "2", "--pitch"]) == 2
    said = capsys.readouterr().err
    assert "1 recording could not be used" in said
    assert said.count("\n") == 1
    failed = (corpus / "packs/00001-of-00002.pack.failed").read_text()
    assert failed.startswith("bob-0\t")
    assert failed.count("\n") == 1
    assert not (corpus / "packs/00002-of-00002.pack.failed").exists()
    found = read_pack(corpus / "packs")
    assert sorted(found.utterances) == sorted(f"{s}-{n}" for n, s in enumerate(ORDER) if n)
    assert (found.f0(np.arange(0, len(found.samples), 400)) > 0).mean() > 0.5


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({}, "b has no speaker, or several"),
        ({"speaker": ["x", "y"]}, "b has no speaker, or several"),
        ({"speaker": "../x"}, "speaker of b"),
        ({"speaker": "a b"}, "holds white space"),
        ({"speaker": "s", "id": "a"}, "a is there twice"),
    ],
)
def test_rows_that_cannot_be_packed(
    row: dict[str, object], problem: str, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"path": "a.wav", "speaker": "s"}, {"path": "b.wav", **row}]
    (corpus / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["pack", str(corpus / "rows.jsonl"), str(corpus / "x.pack"), *WORDS]) == 2
    said = capsys.readouterr().err
    assert problem in said
    assert "rows.jsonl" in said
    assert said.count("\n") == 1


def test_two_speakers_of_one_cut_are_none(cuts: Any, corpus: Path) -> None:
    first = next(iter(cuts))
    other = lhotse.utils.fastcopy(first.supervisions[0], speaker="zed", id="x")
    lhotse.CutSet.from_cuts([lhotse.utils.fastcopy(first, supervisions=[*first.supervisions, other])]).to_file(
        corpus / "two.jsonl"
    )
    (row,) = open_rows(corpus / "two.jsonl", corpus).of_shard(1, 1)
    assert row.speaker is None


def test_more_shards_than_files_of_a_shar(shar: Path, corpus: Path) -> None:
    with pytest.raises(InputError, match="no utterances in shard 1 of 9"):
        write_pack(open_rows(shar, corpus), corpus / "x.pack", sample_rate=RATE, rms=0.06, shard=(1, 9))


class NoneLeft:
    """Rows of recordings that are gone."""

    path = Path("nowhere")
    described = "nowhere"

    def of_shard(self, shard: int, shards: int) -> Iterator[Row]:
        """Two of them."""
        yield from (Row(name, f"/nowhere/{name}.wav", speaker="s") for name in "ab"[: shards + shard])


def test_no_recording_that_can_be_used(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no recording can be used: a: .*a\.wav"):
        write_pack(NoneLeft(), tmp_path / "x.pack", sample_rate=RATE, rms=0.06, leave_out=True)


def test_no_more_is_read_than_some_utterances_ahead(tmp_path: Path) -> None:
    """A process that takes long does not let the others fill the memory."""
    jobs = [Job(str(number), "s", str(tmp_path), None, None) for number in range(1000)]
    for processes in (1, 2):
        for number, loaded in enumerate(load_all(Counted(tmp_path / str(processes)), jobs, processes)):
            assert loaded.samples[0, 0] == number
            if number == 100:
                assert len((tmp_path / str(processes)).read_bytes()) <= 101 + 4 * 4 * processes
                break


class Counted:
    """Gives the number of a job, and adds a byte to a file.

    Args:
        file: which.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    def __call__(self, job: Job) -> Loaded:
        """Load one."""
        with self.file.open("ab", buffering=0) as file:
            file.write(b".")
        return Loaded(np.array([[int(job.id)]], np.int16), np.zeros(0, np.int16))


def test_a_shar_to_train_on_is_to_be_packed_first(shar: Path, corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(corpus / "data")
    words = ["--data", str(shar), "--dev", str(shar), "--out", str(corpus / "exp")]
    assert main(["train", "tiny", *words]) == 2
    assert "vqspeech pack" in capsys.readouterr().err
