"""The text archive of codes: what is written is read, faults are named, and the counts are right."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vqspeech import codes
from vqspeech.errors import InputError

INFO = codes.CodeInfo(codebook_size=64, frame_period=0.04, offset=0.02, model="small", checksum="sha256:0a")


def write_files(folder: Path, text: str, **info: object) -> Path:
    path = folder / "codes.txt"
    path.write_text(text)
    values = {"codebook_size": 64, "frame_period": 0.04, "offset": 0.02} | info
    (folder / "codes.json").write_text(json.dumps(values))
    return path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    written = codes.Codes(INFO, {"b-1": np.array([12, 45, 45, 3], np.int32), "a-1": np.empty(0, np.int32)})
    codes.write(tmp_path / "codes.txt", written)
    assert (tmp_path / "codes.txt").read_text() == "b-1 12 45 45 3\na-1\n"
    read = codes.read(tmp_path / "codes.txt")
    assert read.info == INFO
    assert list(read.sequences) == ["b-1", "a-1"]
    assert read.sequences["b-1"].dtype == np.int32
    assert read.sequences["b-1"].tolist() == [12, 45, 45, 3]
    assert read.sequences["a-1"].shape == (0,)


def test_times_are_frame_centres() -> None:
    assert INFO.times(3) == pytest.approx([0.02, 0.06, 0.10])
    assert INFO.duration(3) == pytest.approx(0.12)
    assert INFO.duration(0) == 0


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("u 1 2\nv 1 x\n", 2, "'x' is not a code"),
        ("u 1 2.5\n", 1, "'2.5' is not a code"),
        ("u 1 2\n\nv 1\n", 2, "an empty line"),
        ("u 1\nv 2\nu 3\n", 3, "utterance u occurs twice"),
        ("u 1\nv -2\n", 2, "code -2 is out of range"),
        ("u 1\nv 64\n", 2, "has code 64, but the codebook has 64"),
        ("u 99999999999999999999\n", 1, "is not a code"),
    ],
)
def test_a_fault_is_named_by_file_and_line(tmp_path: Path, text: str, line: int, problem: str) -> None:
    path = write_files(tmp_path, text)
    with pytest.raises(InputError, match=problem) as caught:
        codes.read(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")


@pytest.mark.parametrize(
    ("info", "problem"),
    [
        ({"codebook_size": 0}, "codebook_size is 0"),
        ({"codebook_size": 2.5}, "whole number"),
        ({"frame_period": 0}, "frame_period is 0"),
        ({"frame_period": "0.04"}, "'frame_period' must be a number"),
        ({"offset": None}, "'offset' must be a number"),
        ({"model": 3}, "'model' must be text"),
    ],
)
def test_a_fault_of_codes_json_is_named(tmp_path: Path, info: dict[str, object], problem: str) -> None:
    path = write_files(tmp_path, "u 1\n", **info)
    with pytest.raises(InputError, match=problem) as caught:
        codes.read(path)
    assert "codes.json" in str(caught.value)


def test_a_missing_or_broken_codes_json_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "codes.txt"
    path.write_text("u 1\n")
    with pytest.raises(InputError, match="--frame-period"):
        codes.read(path)
    (tmp_path / "codes.json").write_text('{"codebook_size": 3,\n}')
    with pytest.raises(InputError, match=r"codes\.json:[12]: no JSON"):
        codes.read(path)
    (tmp_path / "codes.json").write_text("[]")
    with pytest.raises(InputError, match="expected an object"):
        codes.read(path)


def test_a_binary_file_is_no_archive(tmp_path: Path) -> None:
    path = write_files(tmp_path, "")
    path.write_bytes(b"u 1\n\xff\xfe\x00\n")
    with pytest.raises(InputError, match=r"codes\.txt:2: no UTF-8"):
        codes.read(path)


class Killed(BaseException):
    pass


def test_a_killed_encoding_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "codes.txt"

    def interrupted() -> None:
        with codes.Writer(path, INFO) as writer:
            writer.append("a", [1, 2])
            writer.append("b", np.array([3]))
            raise Killed

    with pytest.raises(Killed):
        interrupted()
    assert not path.exists()
    with (tmp_path / "codes.txt.partial").open("a") as file:
        file.write("c 1 2")  # half a line, as kill -9 leaves it
    with codes.Writer(path, INFO) as writer:
        assert writer.done == {"a", "b"}
        writer.append("c", [4, 5, 6])
    assert {name: units.tolist() for name, units in codes.read(path).sequences.items()} == {
        "a": [1, 2],
        "b": [3],
        "c": [4, 5, 6],
    }
    assert sorted(file.name for file in tmp_path.iterdir()) == ["codes.json", "codes.txt"]


OTHER = codes.CodeInfo(codebook_size=64, frame_period=0.04, offset=0.02, model="other")


@pytest.mark.parametrize(("info", "sources"), [(OTHER, ["train"]), (INFO, ["test"]), (INFO, [])])
def test_a_partial_file_of_something_else_is_not_continued(
    tmp_path: Path, info: codes.CodeInfo, sources: list[str]
) -> None:
    path = tmp_path / "codes.txt"
    with contextlib.suppress(Killed), codes.Writer(path, INFO, ["train"]) as writer:
        writer.append("a", [1])
        raise Killed
    with contextlib.suppress(Killed), codes.Writer(path, INFO, ["train"]) as writer:
        assert (writer.done, writer.discarded) == ({"a"}, False)
        raise Killed
    with codes.Writer(path, info, sources) as writer:
        assert (writer.done, writer.discarded) == (set(), True)
        writer.append("b", [2])
    assert list(codes.read(path).sequences) == ["b"]


@pytest.mark.parametrize(("checksum", "continued"), [("ab12", True), (None, False)])
def test_a_model_is_known_by_its_checksum_where_there_is_one(
    tmp_path: Path, checksum: str | None, continued: bool
) -> None:
    path = tmp_path / "codes.txt"
    before, after = (dataclasses.replace(INFO, model=name, checksum=checksum) for name in ("mine", "moved"))
    with contextlib.suppress(Killed), codes.Writer(path, before) as writer:
        writer.append("a", [1])
        raise Killed
    with codes.Writer(path, after) as writer:
        assert ("a" in writer.done) == continued
        assert writer.discarded != continued
    assert codes.read(path).info == after


def test_a_partial_file_of_an_earlier_version_is_continued(tmp_path: Path) -> None:
    """Its order has the model's name in it, whether or not there is a checksum."""
    path = tmp_path / "codes.txt"
    info = dataclasses.replace(INFO, model="mine", checksum="ab12")
    with contextlib.suppress(Killed), codes.Writer(path, info) as writer:
        writer.append("a", [1])
        raise Killed
    order = tmp_path / "codes.json.partial"
    words = json.loads(order.read_text().rpartition("}")[0] + "}")
    rest = order.read_text().rpartition("}")[2]
    assert "model" not in words
    order.write_text(json.dumps(dataclasses.asdict(info), indent=2) + rest)
    with codes.Writer(path, info) as writer:
        assert (writer.done, writer.discarded) == ({"a"}, False)


@pytest.mark.parametrize("step", [1, 2, 3])
def test_killed_between_the_last_steps_nothing_is_encoded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    path, steps = tmp_path / "codes.txt", 0

    def counted(method: Callable[..., object]) -> Callable[..., object]:
        def call(*given: object, **named: object) -> object:
            nonlocal steps
            steps += 1
            if steps == step:
                raise Killed
            return method(*given, **named)

        return call

    with monkeypatch.context() as patched, contextlib.suppress(Killed), codes.Writer(path, INFO) as writer:
        writer.append("a", [1])
        patched.setattr(Path, "replace", counted(Path.replace))
    with codes.Writer(path, INFO) as writer:
        assert writer.done == {"a"} or path.exists()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["codes.json", "codes.txt"]


def test_a_full_disk_is_an_os_error_that_names_the_file(
    tmp_path: Path, full_disk: Callable[[], AbstractContextManager[None]]
) -> None:
    path = tmp_path / "codes.txt"

    def write() -> None:
        with codes.Writer(path, INFO) as writer:
            for number in range(2000):
                writer.append(f"u{number}", [1, 2, 3])

    with full_disk(), pytest.raises(OSError, match=str(path)):
        write()
    with codes.Writer(path, INFO) as writer:
        assert 300 < len(writer.done) < 500


def test_a_full_disk_while_a_shard_is_written_names_the_shard(
    tmp_path: Path, full_disk: Callable[[], AbstractContextManager[None]]
) -> None:
    def write() -> None:
        with codes.ShardWriter(tmp_path, INFO, shard=1, shards=1, source="a") as writer:
            for number in range(writer.done, 2000):
                writer.append(f"u{number}", [1, 2, 3], 0.1)
                writer.flush()

    with full_disk(), pytest.raises(OSError, match=r"codes\.00001-of-00001\.npy"):
        write()
    write()
    assert len(codes.MappedCodes(tmp_path / "codes.00001-of-00001.npy")) == 2000


def test_a_full_disk_leaves_what_was_joined_before(
    tmp_path: Path, full_disk: Callable[[], AbstractContextManager[None]]
) -> None:
    for length in (3, 5000):  # the latter fits into a buffer, and does not onto the disk
        with codes.ShardWriter(tmp_path / str(length), INFO, shard=1, shards=1, source="a") as writer:
            writer.append(f"of{length}", [1] * length, 0.1)
    codes.join_shards(tmp_path / "3", tmp_path / "joined")
    before = {path.name: path.read_bytes() for path in (tmp_path / "joined").iterdir()}
    with full_disk(), pytest.raises(OSError, match="joined/codes"):
        codes.join_shards(tmp_path / "5000", tmp_path / "joined")
    assert {path.name: path.read_bytes() for path in (tmp_path / "joined").iterdir()} == before


def test_two_writers_of_one_file(tmp_path: Path) -> None:
    path = tmp_path / "codes.txt"
    with codes.Writer(path, INFO) as writer:
        writer.append("a", [1])
        with pytest.raises(InputError, match="another process"), codes.Writer(path, INFO):
            pass
        writer.append("b", [2])
    assert list(codes.read(path).sequences) == ["a", "b"]


def test_two_archives_in_one_folder_have_two_sidecars(tmp_path: Path) -> None:
    codes.write(tmp_path / "codes.a", codes.Codes(INFO, {"a": [1]}))
    codes.write(tmp_path / "codes.b", codes.Codes(OTHER, {"a": [1]}))
    assert codes.read(tmp_path / "codes.a").info == INFO
    assert codes.read(tmp_path / "codes.b").info == OTHER
    (tmp_path / "codes.a.json").rename(tmp_path / "codes.json")  # as it was called once
    assert codes.read(tmp_path / "codes.a").info == INFO


BAD = ["NaN", "1e400", "-Infinity", "1e20", "2147483647", "9" * 5000, "0", "-1", "1.5", "true", '"5"', "[" * 20_000]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *[("codebook_size", value) for value in BAD],
        *[("frame_period", value) for value in ("NaN", "1e400", "1e-320", "0", "-1", "[" * 20_000)],
        *[("offset", value) for value in ("NaN", "1e400", "1e30", "{}")],
    ],
)
def test_numbers_that_no_codes_have(tmp_path: Path, key: str, value: str) -> None:
    path = write_files(tmp_path, "u 1\n")
    text = (tmp_path / "codes.json").read_text()
    (tmp_path / "codes.json").write_text(re.sub(f'"{key}": [^,}}]*', f'"{key}": {value}', text))
    with pytest.raises(InputError, match=r"codes\.json"):
        codes.read(path)


def test_a_whole_number_may_be_written_with_a_point(tmp_path: Path) -> None:
    path = write_files(tmp_path, "u 1\n")
    (tmp_path / "codes.json").write_text('{"codebook_size": 512.0, "frame_period": 0.01, "offset": 0.005}')
    size = codes.read(path).info.codebook_size
    assert (size, type(size)) == (512, int)


@pytest.mark.parametrize(
    ("utterance", "units", "problem"),
    [
        ("a", [1], "occurs twice"),
        ("a b", [1], "no white space"),
        ("", [1], "no white space"),
        ("c", [64], "outside"),
        ("c", [-1], "outside"),
        ("c", [1.5], "integers"),
        ("c", [[1, 2]], "shape"),
    ],
)
def test_the_writer_refuses_what_could_not_be_read(
    tmp_path: Path, utterance: str, units: list[int], problem: str
) -> None:
    with codes.Writer(tmp_path / "codes.txt", INFO) as writer:
        writer.append("a", [0])
        with pytest.raises(InputError, match=problem):
            writer.append(utterance, units)


def test_plain_lists_need_only_a_frame_period(tmp_path: Path) -> None:
    path = tmp_path / "units.txt"
    path.write_text("a 5 5 9\nb 0\n")
    read = codes.import_units(path, frame_period=0.02)
    assert read.info == codes.CodeInfo(10, 0.02, 0.01)
    assert read.sequences["a"].tolist() == [5, 5, 9]
    assert codes.import_units(path, frame_period=0.02, offset=0.0125, codebook_size=100).info.codebook_size == 100


def test_textless_lines_are_named_by_file(tmp_path: Path) -> None:
    path = tmp_path / "units.txt"
    path.write_text("wavs/a.flac|5 5 9\nb|1,2\n")
    read = codes.import_units(path, frame_period=0.02)
    assert {name: units.tolist() for name, units in read.sequences.items()} == {"a": [5, 5, 9], "b": [1, 2]}


def test_fairseq_units_are_named_by_their_manifest(tmp_path: Path) -> None:
    path = tmp_path / "dev.km"
    path.write_text("71 12 57\n3 3\n")
    with pytest.raises(InputError, match="manifest"):
        codes.import_units(path, frame_period=0.02)
    (tmp_path / "dev.tsv").write_text("/corpus\n84/121123/84-121123-0000.flac\t32080\n84/84-1.flac\t640\n")
    read = codes.import_units(path, frame_period=0.02)
    assert {name: units.tolist() for name, units in read.sequences.items()} == {
        "84-121123-0000": [71, 12, 57],
        "84-1": [3, 3],
    }
    (tmp_path / "dev.tsv").write_text("/corpus\na.flac\t3\n")
    with pytest.raises(InputError, match=r"has 2 lines, but .* names 1 file"):
        codes.import_units(path, frame_period=0.02)


@pytest.mark.parametrize(
    ("file", "line", "message"),
    [("dev.km", 2, r"dev\.km:2: no UTF-8 text.*\.km"), ("dev.tsv", 3, r"dev\.tsv:3: no UTF-8 text.*manifest")],
)
def test_units_or_a_manifest_that_are_no_text_are_named_with_the_line(
    tmp_path: Path, file: str, line: int, message: str
) -> None:
    (tmp_path / "dev.km").write_text("71 12 57\n3 3\n")
    (tmp_path / "dev.tsv").write_text("/corpus\na.flac\t3\nb.flac\t2\n")
    lines = (tmp_path / file).read_bytes().splitlines(keepends=True)
    lines[line - 1] = b"\xff\xfe" + lines[line - 1]
    (tmp_path / file).write_bytes(b"".join(lines))
    with pytest.raises(InputError, match=message):
        codes.import_units(tmp_path / "dev.km", frame_period=0.02)


def test_a_folder_of_npy_is_read(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([[3, 1, 4]]))
    np.save(tmp_path / "b.npy", np.array([2.0, 7.0]))
    read = codes.import_units(tmp_path, frame_period=1 / 75)
    assert {name: units.tolist() for name, units in read.sequences.items()} == {"a": [3, 1, 4], "b": [2, 7]}
    np.save(tmp_path / "c.npy", np.zeros((8, 10), int))
    with pytest.raises(InputError, match="one codebook per file"):
        codes.import_units(tmp_path, frame_period=1 / 75)
    (tmp_path / "c.npy").write_bytes(b"no array")
    with pytest.raises(InputError, match=r"c\.npy: no NumPy array"):
        codes.import_units(tmp_path, frame_period=1 / 75)


def test_an_empty_folder_has_no_codes(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no codes in it"):
        codes.import_units(tmp_path, frame_period=0.02)


def test_runs_by_hand() -> None:
    values, starts, lengths = codes.runs([7, 7, 2, 7, 7, 7])
    assert (values.tolist(), starts.tolist(), lengths.tolist()) == ([7, 2, 7], [0, 2, 3], [2, 1, 3])


@given(st.lists(st.integers(0, 3)))
def test_runs_repeat_to_the_codes(units: list[int]) -> None:
    values, starts, lengths = codes.runs(units)
    assert np.repeat(values, lengths).tolist() == units
    assert starts.tolist() == (np.cumsum(lengths) - lengths).tolist()
    assert np.all(values[1:] != values[:-1])


def test_bitrate_by_hand() -> None:
    # Four equally frequent codes carry 2 bits each, 25 times per second.
    assert codes.bitrate([[0, 1], [2, 3]], 0.04) == pytest.approx(50)
    # As runs: 0 1 0 1 0 1 in 12 frames of 0.04 s, 1 bit each.
    assert codes.bitrate([[0, 0, 1, 1] * 3], 0.04, collapse_runs=True) == pytest.approx(6 / 0.48)
    assert codes.bitrate([[5] * 10], 0.04) == 0
    assert codes.bitrate([], 0.04) == 0


def test_usage_and_perplexity_by_hand() -> None:
    counts = codes.usage([[0, 1, 1], [3]], 5)
    assert counts.tolist() == [1, 2, 0, 1, 0]
    assert codes.perplexity(counts) == pytest.approx(math.exp2(1.5))
    assert codes.perplexity([0, 9]) == 1
    assert codes.perplexity([4] * 8) == pytest.approx(8)
