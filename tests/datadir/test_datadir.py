"""Data directories: reading, writing, validating, repairing, joining and dividing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vqspeech.datadir import DataDir, Utterance, ValidationIssue, combine, copy_phones, fix, split, validate
from vqspeech.errors import InputError

SPEAKERS = ("p225", "p226")


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "a b.wav"
    soundfile.write(path, np.zeros(1600), 16_000)
    return path


def utterance(name: str, recording: Path | str = "/x.wav", **fields: object) -> Utterance:
    known = {"text": f"hello {name}", "gender": "f", "duration": 0.1} | fields
    return Utterance(id=name, speaker=name.split("_")[0], recording=str(recording), **known)  # type: ignore[arg-type]


@pytest.fixture
def data(recording: Path) -> DataDir:
    return DataDir(utterance(f"{speaker}_{n:03d}", recording) for n in (2, 1) for speaker in SPEAKERS)


@pytest.fixture
def folder(tmp_path: Path, data: DataDir) -> Path:
    data.write(tmp_path / "data")
    return tmp_path / "data"


def table(folder: Path, name: str, *lines: str) -> None:
    (folder / name).write_bytes("".join(f"{line}\n" for line in lines).encode())


# Reading and writing


def test_utterances_are_sorted_as_lc_all_c_sorts() -> None:
    data = DataDir(utterance(name) for name in ("b_1", "a_10", "a_1", "B_1", "é_1", "a_2"))
    assert [u.id for u in data] == ["B_1", "a_1", "a_10", "a_2", "b_1", "é_1"]


def test_written_tables(folder: Path, recording: Path) -> None:
    assert (folder / "wav.scp").read_text().splitlines()[0] == f"p225_001 {recording}"
    assert (folder / "utt2spk").read_text() == "p225_001 p225\np225_002 p225\np226_001 p226\np226_002 p226\n"
    assert (folder / "spk2utt").read_text() == "p225 p225_001 p225_002\np226 p226_001 p226_002\n"
    assert (folder / "text").read_text().splitlines()[0] == "p225_001 hello p225_001"
    assert (folder / "spk2gender").read_text() == "p225 f\np226 f\n"
    assert (folder / "utt2dur").read_text().splitlines()[0] == "p225_001 0.1"
    assert not (folder / "segments").exists()


def test_what_was_written_reads_back_equal(folder: Path, data: DataDir) -> None:
    again = DataDir.read(folder)
    assert again == data
    assert again.path == folder
    assert again["p226_002"] == data["p226_002"]
    assert "p226_003" not in again
    assert again.speakers == SPEAKERS
    assert [u.id for u in again.by_speaker()["p226"]] == ["p226_001", "p226_002"]
    assert again.hours == pytest.approx(0.4 / 3600)


def test_segments_and_pipes_read_back_equal(tmp_path: Path) -> None:
    pipe = "sox 'a b.flac' -t wav - |"
    parts = [
        utterance(f"p225_{n}", pipe, start=n / 3, end=n / 3 + 0.1, recording_id="p225-tape", duration=None)
        for n in range(3)
    ]
    DataDir(parts).write(tmp_path / "d")
    assert (tmp_path / "d" / "wav.scp").read_text() == f"p225-tape {pipe}\n"
    assert [(u.start, u.end, u.recording) for u in DataDir.read(tmp_path / "d")] == [
        (u.start, u.end, pipe) for u in parts
    ]


def test_whole_recordings_beside_segments_become_segments(tmp_path: Path) -> None:
    mixed = DataDir([utterance("p225_1", start=1.0, end=2.0, recording_id="p225-tape"), utterance("p225_2", "/y.wav")])
    mixed.write(tmp_path / "d")
    assert (tmp_path / "d" / "segments").read_text() == "p225_1 p225-tape 1.0 2.0\np225_2 p225_2 0.0 0.1\n"


def test_a_partly_known_table_is_not_written_and_an_old_one_removed(folder: Path, recording: Path) -> None:
    DataDir([utterance("p225_001", recording, text=None), utterance("p225_002", recording, gender=None)]).write(folder)
    assert not (folder / "text").exists()
    assert (folder / "spk2gender").read_text() == "p225 f\n"
    assert validate(folder, require_text=False) == []


def test_transcripts_are_cleaned_when_written(tmp_path: Path) -> None:
    DataDir([utterance("p225_1", text="\ufeffone\u00a0two\r\nthree\x00  four")]).write(tmp_path / "d")
    assert DataDir.read(tmp_path / "d")["p225_1"].text == "one two three four"


words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
names = st.text(st.sampled_from("abzAZ019._-é"), min_size=1, max_size=4)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.tuples(names, names), words, min_size=1, max_size=6))
def test_whatever_can_be_written_is_valid(tmp_path: Path, drawn: dict[tuple[str, str], str]) -> None:
    parts = {f"{speaker}-{name}": (speaker, text) for (speaker, name), text in drawn.items()}
    try:
        data = DataDir(Utterance(id=i, speaker=s, recording="true |", text=text) for i, (s, text) in parts.items())
        data.write(tmp_path / "d")
    except InputError:
        return
    assert validate(tmp_path / "d", require_text=False) == []
    assert [u.id for u in DataDir.read(tmp_path / "d")] == [u.id for u in data]


@pytest.mark.parametrize(
    ("utterances", "problem"),
    [
        ([], "no utterances"),
        ([utterance("p225_1", "~/a.wav")], "cannot stand in wav.scp"),
        ([utterance("p225_1", "/a\nb.wav")], "cannot stand in wav.scp"),
        ([utterance("p225_1", "/\udce9.wav")], "cannot stand in wav.scp"),
        ([utterance("p225_1", gender="f"), utterance("p225_2", gender="m")], "both m and f"),
        ([utterance("p225_1", gender="woman")], "expected m or f, found 'woman'"),
        ([utterance("p225_1", start=2.0, end=1.0)], "needs a start and a later end"),
        ([utterance("p225_1", start=2.0, duration=None)], "needs a start and a later end"),
        ([utterance("a", recording_id="r"), utterance("b", "/y.wav", recording_id="r")], "stands for two recordings"),
        ([Utterance("u1", "b", "/x.wav"), Utterance("u2", "a", "/x.wav")], "sorts before"),
        ([utterance("p225_1", text="so <s> it is")], "reserved symbol"),
    ],
)
def test_what_no_valid_directory_can_say_is_refused(tmp_path: Path, utterances: list[Utterance], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        DataDir(utterances).write(tmp_path / "d")
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize("name", ["", "a b", "a\tb", "a\u00a0b", "a\x00"])
def test_ids_that_hold_white_space_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="cannot be an id"):
        DataDir([Utterance(name, "a", "/x.wav")])


def test_an_utterance_twice_is_refused() -> None:
    with pytest.raises(InputError, match="p225_1 is there twice"):
        DataDir([utterance("p225_1"), utterance("p225_1")])


def test_reading_raises_the_first_fault_with_file_line_and_cure(folder: Path) -> None:
    table(folder, "utt2dur", "p225_001 0.1", "p225_002 nought", "p226_001 0.1", "p226_002 0.1")
    with pytest.raises(InputError, match=r"utt2dur:2: p225_002: expected a positive number, found 'nought' \(.+\)"):
        DataDir.read(folder)


def test_reading_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        DataDir.read(tmp_path / "none")


# Validation


def test_a_sound_directory_has_no_faults(folder: Path) -> None:
    assert validate(folder) == []


def faults(folder: Path) -> list[tuple[str, int | None, str]]:
    issues = validate(folder)
    assert all(c.hint and c.problem and "\n" not in str(c) for c in issues)
    return [(c.file.name, c.line, c.problem) for c in issues]


def edit(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        (folder / name).write_bytes(change((folder / name).read_bytes()))

    return apply


def write(name: str, *lines: str) -> Callable[[Path], None]:
    return lambda folder: table(folder, name, *lines)


UTTERANCES = ("p225_001", "p225_002", "p226_001", "p226_002")


@pytest.mark.parametrize(
    ("damage", "file", "line", "problem"),
    [
        (lambda d: (d / "utt2spk").unlink(), "utt2spk", None, "no such file"),
        (lambda d: (d / "spk2utt").unlink(), "spk2utt", None, "no such file"),
        (lambda d: (d / "wav.scp").unlink(), "wav.scp", None, "no such file"),
        (lambda d: (d / "text").unlink(), "text", None, "no such file"),
        (edit("utt2spk", lambda b: b""), "utt2spk", None, "the file is empty"),
        (lambda d: (d / "utt2lang").mkdir(), "utt2lang", None, "cannot be read"),
        (edit("utt2spk", lambda b: b.replace(b"p225_002 p225", b"p225_002 p225 x")), "utt2spk", 2, "found 2"),
        (edit("utt2spk", lambda b: b.replace(b"p225_002 p225", b"p225_002")), "utt2spk", 2, "found 0"),
        (edit("utt2spk", lambda b: b[:-1]), "utt2spk", 4, "no line end"),
        (edit("utt2spk", lambda b: b.replace(b"2 p225", b"2  p225")), "utt2spk", 2, "other white space"),
        (edit("utt2spk", lambda b: b.replace(b"\n", b"\r\n")), "utt2spk", 1, "Windows line end (on 4 lines)"),
        (edit("text", lambda b: b"\xef\xbb\xbf" + b), "text", 1, "byte-order mark"),
        (edit("text", lambda b: b.decode().encode("utf-16")), "text", 1, "UTF-16"),
        (edit("text", lambda b: b.replace(b"hello p225_002", b"caf\xe9")), "text", 2, "not UTF-8"),
        (edit("text", lambda b: b.replace(b"hello p225_002", b"a\xc2\xa0b")), "text", 2, "U+00A0"),
        (edit("text", lambda b: b.replace(b"hello p225_002", b"a\x00b")), "text", 2, "control character (U+0000)"),
        (edit("text", lambda b: b.replace(b"hello p225_002", b"")), "text", 2, "empty transcript"),
        (edit("text", lambda b: b.replace(b"hello p225_002", b"a <s>, b")), "text", 2, "reserved symbol <s>"),
        (edit("text", lambda b: b.replace(b"p225_002", b"\np225_002", 1)), "text", 2, "blank line"),
        (edit("text", lambda b: b" " + b), "text", 1, "starts with white space"),
        (write("text", "p225_001 a", "p225_002 b", "p226_001 c"), "utt2spk", 4, "p226_002 is not in text"),
        (edit("text", lambda b: b + b"p227_1 a\n"), "text", 5, "p227_1 is not in utt2spk"),
        (edit("text", lambda b: b"p225_002 x\n" + b), "text", 2, "p225_001 comes after p225_002"),
        (edit("text", lambda b: b"p225_001 x\n" + b), "text", 2, "twice, first on line 1"),
        (edit("spk2utt", lambda b: b.replace(b" p225_002", b"")), "spk2utt", 1, "lacks utterance p225_002"),
        (edit("spk2utt", lambda b: b.replace(b"_002\n", b"_002 z\n", 1)), "spk2utt", 1, "has utterance z"),
        (write("spk2utt", "p225 p225_002 p225_001", "p226 p226_001 p226_002"), "spk2utt", 1, "not in the order"),
        (edit("spk2utt", lambda b: b + b"p227 p227_1\n"), "spk2utt", 3, "p227 is not in utt2spk"),
        (edit("wav.scp", lambda b: b.replace(b"p225_001 /", b"p225_001 ~/")), "wav.scp", 1, "starts with ~"),
        (edit("wav.scp", lambda b: b.replace(b"a b", b"none", 1)), "wav.scp", 1, "no audio file"),
        (write("spk2gender", "p225 f", "p226 F"), "spk2gender", 2, "expected m or f, found 'F'"),
        (write("spk2gender", "p225 f"), "utt2spk", 3, "p226 is not in spk2gender"),
        (write("utt2dur", *(f"{u} 0" for u in UTTERANCES)), "utt2dur", 1, "expected a positive number"),
        (write("utt2dur", *(f"{u} nan" for u in UTTERANCES)), "utt2dur", 1, "expected a positive number"),
        (write("utt2num_frames", *(f"{u} 1.5" for u in UTTERANCES)), "utt2num_frames", 1, "whole number"),
        (write("utt2lang", "p225_001 en"), "utt2spk", 2, "p225_002 is not in utt2lang"),
        (write("reco2dur", "p225_001 1"), "utt2spk", 2, "p225_002 is not in reco2dur"),
        (write("utt2warp", *(f"{u} 2" for u in UTTERANCES)), "utt2warp", 1, "0.5 < factor < 1.5"),
        (write("reco2file_and_channel", *(f"{u} f C" for u in UTTERANCES)), "reco2file_and_channel", 1, "A or B"),
        (write("segments", *(f"{u} {u} 1 0.5" for u in UTTERANCES)), "segments", 1, "no later than it starts"),
        (write("segments", *(f"{u} {u} -1 2" for u in UTTERANCES)), "segments", 1, "starts before its recording"),
        (write("segments", *(f"{u} {u} x 2" for u in UTTERANCES)), "segments", 1, "not a number of seconds"),
        (write("segments", *(f"{u} {u} 2" for u in UTTERANCES)), "segments", 1, "found 2 words"),
        (write("segments", *(f"{u} tape 0 1" for u in UTTERANCES)), "segments", 1, "tape is not in wav.scp"),
        (write("phones.ctm", "p225_001 1 0 0.05"), "phones.ctm", 1, "found 4 words"),
        (write("phones.ctm", "p225_001 1 0 0.05 a", "p225_001 1 0.02 0.03 b"), "phones.ctm", 2, "before the one in"),
        (write("phones.ctm", "p225_001 1 0 -1 a"), "phones.ctm", 1, "not a time in seconds"),
        (write("phones.ctm", "p225_001 1 0 0.5 a"), "phones.ctm", 1, "the utterance at 0.100 s"),
        (write("phones.ctm", "p229_001 1 0 0.05 a"), "phones.ctm", 1, "not in utt2spk"),
        (write("phones.ctm", "p226_001 1 0 0.1 a", "p225_001 1 0 0.1 a"), "phones.ctm", 2, "not in sorted order"),
    ],
)
def test_each_fault_is_named_by_file_and_line(
    folder: Path, damage: Callable[[Path], None], file: str, line: int | None, problem: str
) -> None:
    damage(folder)
    found = faults(folder)
    assert any((f, n) == (file, line) and problem in p for f, n, p in found), found


def test_speaker_ids_that_are_no_prefixes_and_upset_the_order(tmp_path: Path) -> None:
    table(tmp_path, "utt2spk", "u1 b", "u2 a")
    table(tmp_path, "spk2utt", "a u2", "b u1")
    table(tmp_path, "wav.scp", "u1 true |", "u2 true |")
    found = [f for f in faults(tmp_path) if f[0] == "utt2spk"]
    assert found == [("utt2spk", 2, found[0][2])]
    assert "does not begin with its speaker id a" in found[0][2]


def test_text_is_not_needed_when_said_so(folder: Path) -> None:
    (folder / "text").unlink()
    assert validate(folder, require_text=False) == []
    assert DataDir.read(folder)["p225_001"].text is None


def test_an_issue_prints_as_one_line() -> None:
    issue = ValidationIssue(Path("data/text"), 3, "empty transcript", "correct the line")
    assert str(issue) == "data/text:3: empty transcript (correct the line)"


# Repair


def test_a_sound_directory_is_left_alone(folder: Path) -> None:
    assert fix(folder) == []
    assert not (folder / ".backup").exists()


def test_fix_sorts_drops_and_rebuilds(folder: Path) -> None:
    originals = {}
    lines = (folder / "wav.scp").read_text().splitlines()
    table(folder, "wav.scp", *reversed(lines), "p227_001 true |")
    edit("text", lambda b: b.replace(b"p226_002 hello p226_002\n", b"").replace(b"\n", b"\r\n"))(folder)
    edit("utt2spk", lambda b: b.replace(b" ", b"\t"))(folder)
    (folder / "spk2utt").unlink()
    originals = {path.name: path.read_bytes() for path in folder.iterdir()}
    notes = "\n".join(fix(folder))
    assert "dropped utterance p226_002: not in text" in notes
    assert "wav.scp: removed 1 line that nothing needs (such as p227_001)" in notes
    assert validate(folder) == []
    assert [u.id for u in DataDir.read(folder)] == ["p225_001", "p225_002", "p226_001"]
    assert {path.name: path.read_bytes() for path in (folder / ".backup").iterdir()} == originals
    assert fix(folder) == []


def test_a_second_repair_does_not_overwrite_the_first_originals(folder: Path) -> None:
    for _ in range(2):
        edit("text", lambda b: b + b"zzz extra\n")(folder)
        fix(folder)
    assert (folder / ".backup" / "text").read_text().count("zzz") == 1
    assert (folder / ".backup.1" / "text").read_text().count("zzz") == 1
    assert validate(folder) == []


def test_fix_reads_other_encodings(folder: Path) -> None:
    edit("text", lambda b: b.replace(b"hello p225_001", "caf\u00e9".encode("cp1252")))(folder)
    edit("utt2spk", lambda b: b.decode().encode("utf-16"))(folder)
    edit("wav.scp", lambda b: b"\xef\xbb\xbf" + b)(folder)
    assert any("not UTF-8" in note for note in fix(folder))
    assert DataDir.read(folder)["p225_001"].text == "caf\u00e9"


def test_lesser_tables_cost_no_speech(folder: Path) -> None:
    table(folder, "spk2gender", "p225 f")
    table(folder, "utt2dur", "p225_001 -4")
    table(folder, "utt2uniq")
    fix(folder)
    assert len(DataDir.read(folder)) == 4
    assert not (folder / "spk2gender").exists()
    assert (folder / ".backup" / "spk2gender").read_text() == "p225 f\n"


def test_fix_drops_utterances_without_audio_and_keeps_odd_paths(folder: Path, recording: Path) -> None:
    other = recording.rename(recording.with_name("a  b.wav"))
    lines = [f"{name} {other}" for name in UTTERANCES[:3]]
    table(folder, "wav.scp", *lines, "p226_002 /none.wav")
    assert any("p226_002: no audio file /none.wav" in note for note in fix(folder))
    assert {u.recording for u in DataDir.read(folder)} == {str(other)}


def test_fix_makes_utt2spk_from_spk2utt(folder: Path) -> None:
    (folder / "utt2spk").unlink()
    fix(folder)
    assert len(DataDir.read(folder)) == 4


def test_fix_drops_faulty_alignments(folder: Path) -> None:
    lines = ["p226_001 1 0.00 0.05 a", "p225_001 1 0.05 0.05 b", "p225_001 1 0.00 0.05 a", "p225_002 1 0 0.9 c"]
    table(folder, "phones.ctm", *lines, "p9 1 0 1 a")
    assert sum("dropped the phones of" in note for note in fix(folder)) == 2
    assert (folder / "phones.ctm").read_text().splitlines() == [lines[2], lines[1], lines[0]]
    assert validate(folder) == []


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (write("text", "zz a"), "no utterance is in every file"),
        (write("wav.scp", *(f"{u} /none.wav" for u in UTTERANCES)), "none of its audio files is there"),
        (write("wav.scp"), "missing, or no sound line"),
        (lambda d: [(d / n).unlink() for n in ("utt2spk", "spk2utt")], "missing, or no sound line"),
    ],
)
def test_what_cannot_be_repaired_is_left_unchanged(folder: Path, damage: Callable[[Path], None], problem: str) -> None:
    damage(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(InputError, match=problem):
        fix(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


# Joining and dividing


def test_combine_joins_and_takes_equal_utterances_once(data: DataDir) -> None:
    more = DataDir([utterance("p227_001"), data["p225_001"]])
    assert [u.id for u in combine([data, more])] == [*UTTERANCES, "p227_001"]


@pytest.mark.parametrize(
    ("other", "problem"),
    [
        (utterance("p225_001", "/other.wav"), "utterance p225_001 differs"),
        (utterance("p225_009", gender="m"), "speaker p225 has another gender"),
        (utterance("p225_009", start=0.0, end=1.0, recording_id="p225_001"), "recording p225_001 is another one"),
    ],
)
def test_combine_refuses_conflicts(data: DataDir, other: Utterance, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        combine([data, DataDir([other])])


def many(per_speaker: int, speakers: int = 10) -> DataDir:
    return DataDir(utterance(f"s{s:02d}_{n:04d}") for s in range(speakers) for n in range(per_speaker))


PARTS = {"train": 0.8, "dev": 0.1, "test": 0.1}


def test_split_covers_everything_once_in_about_the_shares() -> None:
    data = many(200)
    parts = split(data, by="utterance", parts=PARTS)
    assert sorted(u.id for part in parts.values() for u in part) == [u.id for u in data]
    assert len(parts["train"]) == pytest.approx(1600, rel=0.1)
    assert len(parts["dev"]) == pytest.approx(200, rel=0.25)


def test_split_by_speaker_keeps_each_in_one_part() -> None:
    parts = split(many(5, speakers=60), by="speaker", parts=PARTS)
    assert sum(len(part.speakers) for part in parts.values()) == 60
    assert all(len(part) for part in parts.values())


def test_utterances_added_later_move_none() -> None:
    whole = split(many(60), by="utterance", parts=PARTS)
    some = split(many(60).subset(lambda u: u.id[-1] in "0369"), by="utterance", parts=PARTS)
    for name, part in some.items():
        assert all(u.id in whole[name] for u in part)


def test_another_seed_is_another_split_and_the_same_seed_the_same() -> None:
    first, again, other = (split(many(50), by="utterance", parts=PARTS, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(1, 3), st.integers(0, 9))
def test_each_speaker_with_enough_is_in_every_part(per_speaker: int, at_least: int, seed: int) -> None:
    shares = {"train": 0.98, "dev": 0.01, "test": 0.01}
    parts = split(many(per_speaker, 3), by="utterance", parts=shares, seed=seed, at_least=at_least)
    for name in ("dev", "test"):
        for speaker in parts["train"].speakers if per_speaker > 4 * at_least else ():
            assert len(parts[name].by_speaker()[speaker]) >= at_least


def test_equal_keys_go_to_the_same_part() -> None:
    parts = split(many(40), by="utterance", parts=PARTS, key=lambda u: u.id.split("_")[1])
    for part in parts.values():
        assert len({frozenset(u.id[-4:] for u in group) for group in part.by_speaker().values()}) <= 1


@pytest.mark.parametrize("parts", [{}, {"train": 0.5}, {"train": 1.5, "dev": -0.5}, {"train": float("nan")}])
def test_shares_must_add_up_to_one(parts: dict[str, float]) -> None:
    with pytest.raises(InputError, match="do not add up to 1"):
        split(many(3), by="utterance", parts=parts)


def test_split_by_something_else() -> None:
    with pytest.raises(InputError, match="cannot split by 'sentence'"):
        split(many(3), by="sentence", parts={"all": 1.0})  # type: ignore[arg-type]


def test_phones_follow_their_utterances(folder: Path, tmp_path: Path, data: DataDir) -> None:
    lines = [f"{name} 1 0.00 0.05 a" for name in UTTERANCES]
    table(folder, "phones.ctm", *lines)
    part = data.subset(lambda u: u.speaker == "p226")
    part.write(tmp_path / "part")
    assert copy_phones([folder, tmp_path / "none"], tmp_path / "part", part) == 2
    assert (tmp_path / "part" / "phones.ctm").read_text().splitlines() == lines[2:]
    assert validate(tmp_path / "part") == []


# Others' readers


def test_lhotse_reads_what_we_write(tmp_path: Path, folder: Path, recording: Path) -> None:
    lhotse_kaldi = pytest.importorskip("lhotse.kaldi")
    recordings, supervisions, _ = lhotse_kaldi.load_kaldi_data_dir(folder, sampling_rate=16_000)
    assert sorted(s.id for s in supervisions) == list(UTTERANCES)
    assert {s.speaker for s in supervisions} == set(SPEAKERS)
    assert {s.gender for s in supervisions} == {"f"}
    assert len(recordings) == 4
    cut = DataDir([utterance("p225_1", recording, start=0.02, end=0.08, recording_id="p225-tape", duration=None)])
    cut.write(tmp_path / "cut")
    _, supervisions, _ = lhotse_kaldi.load_kaldi_data_dir(tmp_path / "cut", sampling_rate=16_000)
    only = next(iter(supervisions))
    assert (only.id, only.recording_id, only.start) == ("p225_1", "p225-tape", 0.02)
    assert only.duration == pytest.approx(0.06)


@pytest.mark.parametrize("name", ["../x", "/abs/x", "a/b", "..", "."])
def test_ids_that_lead_out_of_a_folder_are_no_ids(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="no id"):
        DataDir([Utterance(name, "s", "true |")])
    table(tmp_path, "utt2spk", f"{name} {name}")
    table(tmp_path, "spk2utt", f"{name} {name}")
    table(tmp_path, "wav.scp", f"{name} true |")
    told = [str(issue) for issue in validate(tmp_path, require_text=False)]
    assert any("utt2spk:1: no id" in line for line in told), told
    with pytest.raises(InputError, match="no id"):
        DataDir.read(tmp_path)
