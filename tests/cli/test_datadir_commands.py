"""vqspeech validate, fix, combine, split and prepare."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from vqspeech.cli.common.tables import print_parts
from vqspeech.cli.main import main
from vqspeech.corpora import CORPORA, corpus
from vqspeech.datadir import DataDir, Utterance, validate
from vqspeech.errors import InputError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    utterances = [
        Utterance(f"{s}_{n:02d}", s, "true |", text="a b", gender="m", duration=1.0)
        for s in ("p1", "p2")
        for n in range(20)
    ]
    DataDir(utterances).write(tmp_path / "data")
    return tmp_path / "data"


def test_validate_a_sound_directory(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", str(folder)]) == 0
    assert "in order, 2 speakers, 40 utterances, 0.01 hours" in capsys.readouterr().out


def test_validate_names_faults_and_shows_ten_of_a_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "utt2dur").write_text((folder / "utt2dur").read_text().replace("1.0", "none"))
    assert main(["validate", str(folder)]) == 1
    output = capsys.readouterr().out
    assert f"{folder / 'utt2dur'}:1: p1_00: expected a positive number" in output
    assert "30 more (--all shows them)" in output
    assert "40 faults" in output
    assert main(["validate", "--all", str(folder)]) == 1
    assert "more" not in capsys.readouterr().out


def test_validate_without_text(folder: Path) -> None:
    (folder / "text").unlink()
    assert main(["validate", str(folder)]) == 1
    assert main(["validate", "--no-text", str(folder)]) == 0


@pytest.mark.parametrize(
    ("rows", "shown"),
    [
        ([{"path": "a.wav"}, {"path": "b.wav"}], ["in order"]),
        ([{"path": "1/a.wav"}, {"path": "2/a.wav"}], ["a is there twice: 1/a.wav, and 2/a.wav", "1 fault"]),
        ([{"path": "a.wav"}] * 13, ["2 more (--all shows them)", "12 faults"]),
        ([{"path": "a.wav", "id": "a", "start": 2, "end": 1}], ["a is empty: a.wav from 2 s to 1 s", "1 fault"]),
        ([{"path": "a.wav"}, {"id": "b"}], ["rows.jsonl:2: path is None", "1 fault"]),
        ([], ["no rows in it", "1 fault"]),
    ],
)
def test_validate_a_manifest(
    rows: list[dict[str, object]], shown: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = tmp_path / "rows.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["validate", str(manifest)]) == int(shown != ["in order"])
    output = capsys.readouterr().out
    assert all(f"{text}\n" in output or text in output for text in shown)
    assert output.count("\n") <= 12
    assert main(["validate", str(tmp_path / "notes.txt")]) != 0


def test_fix(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "spk2utt").unlink()
    assert main(["fix", str(folder)]) == 0
    assert "rewrote spk2utt" in capsys.readouterr().out
    assert main(["fix", str(folder)]) == 0
    assert "nothing to do" in capsys.readouterr().out


def test_fix_says_what_it_cannot_repair(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "utt2spk").write_text((folder / "utt2spk").read_text().replace("p1_00 p1", "p1_00 z"))
    assert main(["fix", str(folder)]) == 1
    assert "cannot be repaired" in capsys.readouterr().out


def test_split_then_combine_gives_the_same(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "phones.ctm").write_text("".join(f"{u.id} 1 0 0.5 a\n" for u in DataDir.read(folder)))
    parts = tmp_path / "parts"
    assert main(["split", str(folder), str(parts), "--by", "utterance", "--parts", "train=0.5", "test=0.5"]) == 0
    assert "train" in capsys.readouterr().out
    assert validate(parts / "test") == []
    assert main(["combine", str(tmp_path / "all"), str(parts / "train"), str(parts / "test")]) == 0
    assert DataDir.read(tmp_path / "all") == DataDir.read(folder)
    assert (tmp_path / "all" / "phones.ctm").read_text() == (folder / "phones.ctm").read_text()


def test_combine_says_what_it_leaves_out(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    DataDir([Utterance("p9_1", "p9", "true |")]).write(tmp_path / "more")
    assert main(["combine", str(tmp_path / "all"), str(folder), str(tmp_path / "more")]) == 0
    assert "no text written, 1 of 41 entries not known" in capsys.readouterr().err


def test_combine_and_split_never_take_a_directory_for_their_output_that_would_be_lost(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = DataDir.read(folder)
    DataDir([Utterance("p9_1", "p9", "true |")]).write(tmp_path / "more")
    assert main(["combine", str(folder), str(tmp_path / "more")]) == 2  # DEST is forgotten
    assert "40 utterances that no source has, such as p1_00" in capsys.readouterr().err
    assert main(["split", str(folder), str(tmp_path), "--by", "speaker", "--parts", "data=0.5", "rest=0.5"]) == 2
    assert "is the source and a part of it" in capsys.readouterr().err
    assert DataDir.read(folder) == before
    for _ in range(2):  # the same again changes nothing, so it is allowed
        assert main(["combine", str(tmp_path / "all"), str(folder), str(tmp_path / "more")]) == 0


@pytest.mark.parametrize(
    "words",
    [
        ["split", "DATA", "OUT", "--by", "speaker", "--parts", "train"],
        ["split", "DATA", "OUT", "--by", "speaker", "--parts", "train=0.5"],
        ["combine", "DATA", "DATA"],
        ["fix", "OUT"],
        ["prepare", "vctk", "DATA", "OUT"],
        ["prepare", "folder", "DATA", "OUT", "--dev", "0.6", "--test", "0.6"],
    ],
)
def test_bad_input_is_one_line_and_status_2(
    folder: Path, tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    places = {"DATA": str(folder), "OUT": str(tmp_path / "out")}
    assert main([places.get(word, word) for word in words]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_prepare_writes_valid_parts_and_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in "abcdefgh":
        (tmp_path / "src" / "ann").mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / "src" / "ann" / f"{name}.wav", np.zeros(800), 8000)
    assert main(["prepare", "folder", str(tmp_path / "src"), str(tmp_path / "dst"), "--speakers", "ann"]) == 0
    table = capsys.readouterr().out.splitlines()
    assert table[0].split() == ["part", "speakers", "utterances", "hours"]
    assert [line.split()[0] for line in table[1:]] == ["train", "dev", "test"]
    for part in ("train", "dev", "test"):
        assert validate(tmp_path / "dst" / part, require_text=False) == []
    assert sum(len(DataDir.read(tmp_path / "dst" / part)) for part in ("train", "dev", "test")) == 8
    assert main(["prepare", "folder", str(tmp_path / "src"), str(tmp_path / "dst"), "--dev", "0"]) == 0
    assert "from an earlier run" in capsys.readouterr().err


def test_prepare_timit_writes_the_hand_labels(tmp_path: Path) -> None:
    for name in ("sa1", "sa2", "sx3", "sx4", "si5"):
        file = tmp_path / "src" / "dr1-mcpm0" / f"{name}.flac"
        file.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(file, np.zeros(1600), 16_000)
        file.with_suffix(".phn").write_text("0 801 h#\n801 1600 sh\n")
        file.with_suffix(".txt").write_text("She.\n")
    assert main(["prepare", "timit", str(tmp_path / "src"), str(tmp_path / "dst"), "--dev", "0", "--test", "0"]) == 0
    assert validate(tmp_path / "dst" / "train") == []
    lines = (tmp_path / "dst" / "train" / "phones.ctm").read_text().splitlines()
    assert lines[0].split()[::4] == ["mcpm0-sa1", "h#"]
    assert len(lines) == 10


def test_every_corpus_has_a_module() -> None:
    assert all(callable(corpus(name).prepare) for name in CORPORA)
    with pytest.raises(InputError, match="no corpus 'timmit'"):
        corpus("timmit")


def test_a_table_of_no_parts(capsys: pytest.CaptureFixture[str]) -> None:
    print_parts({})
    assert capsys.readouterr().out == "part  speakers  utterances  hours\n"
