"""Units through the formats of other systems and back; what is damaged is one error that names file and line."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vqspeech import codes
from vqspeech.cli.main import main
from vqspeech.codes import CodeInfo, Codes
from vqspeech.errors import InputError

ids = st.text(st.characters(codec="utf-8", exclude_categories=("Z", "C"), exclude_characters="/\\|"), min_size=1)
ids = ids.filter(lambda name: name.split() == [name] and name.strip(".") and not name.startswith("."))
sets = st.dictionaries(ids, st.lists(st.integers(0, 299), max_size=20), min_size=1, max_size=5)
INFO = CodeInfo(300, 0.02, 0.01, model="m", checksum="c")


def of(found: dict[str, list[int]], info: CodeInfo = INFO) -> Codes:
    return Codes(info, {name: np.array(row, np.int32) for name, row in found.items()})


def same(one: Codes, other: Codes) -> None:
    assert one.info == other.info
    assert list(one.sequences) == list(other.sequences)
    for name, sequence in one.sequences.items():
        assert sequence.dtype == np.int32
        assert sequence.tolist() == other.sequences[name].tolist()


@settings(max_examples=40, deadline=None)
@given(sets)
@pytest.mark.parametrize("form", sorted(codes.FORMATS))
def test_what_is_written_is_read_again(form: str, found: dict[str, list[int]]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"units{codes.FORMATS[form].suffix}"
        codes.write_units(path, of(found), form)
        same(codes.read_units(path), of(found))


@pytest.mark.parametrize("form", sorted(codes.FORMATS))
def test_utterances_of_no_frame(form: str, tmp_path: Path) -> None:
    path = tmp_path / f"units{codes.FORMATS[form].suffix}"
    codes.write_units(path, of({"a": [], "b": [1], "c": []}), form)
    same(codes.read_units(path), of({"a": [], "b": [1], "c": []}))


def test_files_by_hand(tmp_path: Path) -> None:
    made = of({"u1": [3, 3, 7], "u2": [0]}, CodeInfo(8, 0.02, 0.01))
    written = {}
    for form, about in codes.FORMATS.items():
        path = tmp_path / form / f"x{about.suffix}"
        codes.write_units(path, made, form)
        written[form] = path
    lines = written["discophon"].read_text().splitlines()
    assert [json.loads(line) for line in lines] == [{"file": "u1", "units": [3, 3, 7]}, {"file": "u2", "units": [0]}]
    assert json.loads(written["slamkit"].read_text().splitlines()[0]) == {
        "units": [3, 7],
        "duration": [2, 1],
        "file_name": "u1.wav",
    }
    assert written["fairseq"].read_text() == "3 3 7\n0\n"
    # Three frames of 20 ms from 0 on, at 16 kHz.
    assert (tmp_path / "fairseq" / "x.tsv").read_text() == ".\nu1.wav\t960\nu2.wav\t320\n"
    assert (tmp_path / "fairseq" / "dict.km.txt").read_text().splitlines() == [f"{unit} 1" for unit in range(8)]
    assert written["espnet"].read_text() == "u1 3 3 7\nu2 0\n"
    mapped = np.load(written["npy"], mmap_mode="r")
    assert (mapped.dtype, mapped.tolist()) == (np.uint16, [3, 3, 7, 0])
    assert (tmp_path / "npy" / "x.npy.index").read_text() == "u1 0 3\nu2 3 1\n"


def test_many_codes_take_four_bytes(tmp_path: Path) -> None:
    made = of({"u": [70_000]}, CodeInfo(70_001, 0.02, 0.01))
    codes.write_units(tmp_path / "x.npy", made, "npy")
    same(codes.read_units(tmp_path / "x.npy"), made)


def test_names_of_recordings_become_ids(tmp_path: Path) -> None:
    (tmp_path / "f.jsonl").write_text('{"file_name": "a/b\\\\u.1.flac", "units": [5, 6], "duration": [2, 1]}\n')
    read = codes.import_units(tmp_path / "f.jsonl", frame_period=0.04)
    assert {name: row.tolist() for name, row in read.sequences.items()} == {"u.1": [5, 5, 6]}
    assert read.info.codebook_size == 7


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "x.jsonl:2: no JSON"),
        ("[1]", "x.jsonl:2: no JSON object"),
        ("", "x.jsonl:2: no JSON"),
        ('{"units": [1]}', "x.jsonl:2: no 'file'"),
        ('{"file": "b"}', "x.jsonl:2: 'units' is no list"),
        ('{"file": "b", "units": null}', "x.jsonl:2: 'units' is no list"),
        ('{"file": "b", "units": [1, true]}', "x.jsonl:2: 'units' is no list"),
        ('{"file": "b", "units": [1.5]}', "x.jsonl:2: 'units' is no list"),
        ('{"file": "b", "units": [-1]}', "x.jsonl:2: units -1 is out of range"),
        ('{"file": "b", "units": [99999999999999999999]}', "out of range"),
        ('{"file": "b", "units": [' + "9" * 5000 + "]}", "x.jsonl:2: no units"),
        ('{"file": "a", "units": [1]}', "x.jsonl:2: utterance a occurs twice"),
        ('{"file": "b c", "units": [1]}', "x.jsonl:2: 'b c' cannot be an utterance id"),
        ('{"file": "", "units": [1]}', "cannot be an utterance id"),
        ('{"file": 5, "units": [1]}', "no 'file'"),
        ('{"file_name": "b.wav", "units": [1, 2], "duration": [1]}', "x.jsonl:2: 2 units, but 1 durations"),
        ('{"file_name": "b.wav", "units": [1], "duration": [2000000000]}', "x.jsonl:2: durations of 2000000000"),
        ('{"file_name": "b.wav", "units": [1], "duration": [-1]}', "x.jsonl:2: duration -1"),
        ('{"file_name": "b.wav", "units": [1]}', "x.jsonl:2: 'file_name' without 'duration'"),
        ('{"a": ' * 100_000, "x.jsonl:2: no"),
    ],
)
def test_hostile_lines(tmp_path: Path, line: str, problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"file": "a", "units": [1]}\n' + line + "\n")
    assert main(["convert-units", str(path), str(tmp_path / "codes.txt"), "--frame-period", "0.02"]) == 2
    error = capsys.readouterr().err
    assert problem in error
    assert error.count("\n") == 1
    assert not (tmp_path / "codes.txt").exists()


@pytest.mark.parametrize(
    ("index", "problem"),
    [
        ("u 0 3\nv 2 2\n", "x.npy.index:2: frames 2 to 4, where 3 is the next of 4"),
        ("u 0 5\n", "x.npy.index:1: frames 0 to 5"),
        ("u 0 3\n", "x.npy: 4 frames, but the index has 3"),
        ("u 0\n", "x.npy.index:1: no entry"),
        ("u 0 -1\n", "x.npy.index:1: no entry"),
        ("u 0 2\nu 2 2\n", "x.npy.index:2: utterance u occurs twice"),
        (None, "no index beside it"),
    ],
)
def test_an_index_of_another_array(tmp_path: Path, index: str | None, problem: str) -> None:
    np.save(tmp_path / "x.npy", np.array([1, 2, 3, 4], np.uint16))
    if index is not None:
        (tmp_path / "x.npy.index").write_text(index)
    with pytest.raises(InputError, match=problem.replace(".", r"\.")):
        codes.import_units(tmp_path / "x.npy", frame_period=0.02)


def test_arrays_that_are_no_units(tmp_path: Path) -> None:
    (tmp_path / "x.npy.index").write_text("u 0 2\n")
    for array, problem in ((np.zeros((2, 2), int), "of shape"), (np.zeros(2), "float64"), (np.array([-1, 2]), "range")):
        np.save(tmp_path / "x.npy", array)
        with pytest.raises(InputError, match=problem):
            codes.import_units(tmp_path / "x.npy", frame_period=0.02)


def test_the_command_keeps_the_times(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = of({"u1": [3, 3, 7], "u2": [0]})
    codes.write(tmp_path / "codes.txt", made)
    words = [str(tmp_path / "codes.txt"), str(tmp_path / "units.jsonl"), "--to", "slamkit"]
    assert main(["convert-units", *words]) == 0
    assert "2 utterances, 4 units of 300 at 50 Hz" in capsys.readouterr().out
    assert main(["convert-units", str(tmp_path / "units.jsonl"), str(tmp_path / "again.txt")]) == 0
    same(codes.read(tmp_path / "again.txt"), made)


def test_a_format_that_cannot_be_guessed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    codes.write(tmp_path / "codes.txt", of({"u": [1]}))
    assert main(["convert-units", str(tmp_path / "codes.txt"), str(tmp_path / "x.pickle")]) == 2
    assert "name one of codes, discophon" in capsys.readouterr().err
    assert main(["convert-units", str(tmp_path / "codes.txt"), str(tmp_path / "codes.txt")]) == 2
    assert "would be written over" in capsys.readouterr().err
    (tmp_path / "x.km").write_text("1 2\n")
    assert main(["convert-units", str(tmp_path / "x.km"), str(tmp_path / "y.txt")]) == 2
    assert "--frame-period" in capsys.readouterr().err
