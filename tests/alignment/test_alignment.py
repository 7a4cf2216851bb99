"""Alignments: every format is read as its own tools write it, round trips keep times and labels, faults are named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from label_writers import write_audacity, write_lab, write_textgrid, write_timit

from vqspeech import alignment
from vqspeech.alignment import Interval
from vqspeech.errors import InputError

SHE = [Interval(0.0, 0.1, "sil"), Interval(0.1, 0.25, "sh"), Interval(0.25, 0.4, "iy")]


def close(read: list[Interval], expected: list[Interval], tolerance: float = 1e-4) -> bool:
    return [interval.label for interval in read] == [interval.label for interval in expected] and np.allclose(
        [interval[:2] for interval in read], [interval[:2] for interval in expected], atol=tolerance
    )


# Reading, each format as written elsewhere


def test_ctm(tmp_path: Path) -> None:
    path = tmp_path / "phones.ctm"
    path.write_text(";; made by hand\nu1 1 0.00 0.10 SIL\nu1 1 0.10 0.15 SH 0.98\nu2 A 0.2 0.1 T\n")
    read = alignment.read(path)
    assert close(read["u1"], [Interval(0.0, 0.1, "SIL"), Interval(0.1, 0.25, "SH")])
    assert close(read["u2"], [Interval(0.2, 0.3, "T")])


def test_ctm_neighbours_meet_exactly_despite_float_sums(tmp_path: Path) -> None:
    path = tmp_path / "phones.ctm"
    path.write_text("u 1 0.1 0.2 a\nu 1 0.3 0.1 b\n")
    first, second = alignment.read_ctm(path)["u"]
    assert first.end == second.start


def test_timit(tmp_path: Path) -> None:
    path = tmp_path / "sa1.phn"
    path.write_text("0 1600 h#\n1600 4000 sh\n4000 6400 iy\n")
    assert close(alignment.read(path)["sa1"], [SHE[0]._replace(label="h#"), *SHE[1:]])
    assert alignment.read_timit(path, rate=8_000)[0].end == pytest.approx(0.2)


def test_timit_sentence_keeps_its_spaces(tmp_path: Path) -> None:
    path = tmp_path / "sa1.txt"
    path.write_text("0 46797 She had your dark suit in greasy wash water all year.\n")
    assert alignment.read_timit(path)[0].label.startswith("She had your dark")


def test_htk_monophones(tmp_path: Path) -> None:
    path = tmp_path / "u.lab"
    path.write_text("         0     1000000 sil -1.5\n   1000000    2500000 sh\n   2500000    4000000 iy\n")
    assert close(alignment.read(path)["u"], SHE)


def test_hts_full_context_labels_keep_the_middle_phone(tmp_path: Path) -> None:
    path = tmp_path / "u.lab"
    path.write_text(
        "0 1000000 x^x-sil+sh=iy@x_x/A:0_0_0/B:x-x-x@x-x&x-x#x-x$x-x\n"
        "1000000 2500000 x^sil-sh+iy=hh@1_2/A:0_0_0/B:1-1-2@1-1&1-8#1-4$1-3\n"
        "2500000 4000000 sil^sh-iy+hh=ae@2_1/A:0_0_0/B:1-1-2@1-1&1-8#1-4$1-3\n"
    )
    assert close(alignment.read_lab(path), SHE)


def test_hts_states_become_one_phone(tmp_path: Path) -> None:
    path = tmp_path / "u.lab"
    path.write_text(
        "0 500000 x^x-iy+iy=sh@x_x[2]\n500000 1000000 x^x-iy+iy=sh@x_x[3]\n"
        "1000000 1500000 x^iy-iy+sh=x@x_x[2]\n1500000 2500000 x^iy-iy+sh=x@x_x[3]\n"
    )
    assert close(alignment.read_lab(path), [Interval(0, 0.1, "iy"), Interval(0.1, 0.25, "iy")])


@pytest.mark.parametrize(
    ("label", "phone"),
    [("a^b-c+d=e@1_2/A:0", "c"), ("b-c+d", "c"), ("b-c", "c"), ("c+d", "c"), ("ax-h", "h"), ("sil", "sil")],
)
def test_context_labels(label: str, phone: str) -> None:
    # "ax-h" is TIMIT's and never in a .lab; as HTK reads it, it is the phone h after ax.
    assert alignment.central_phone(label) == phone


def test_festival_lab(tmp_path: Path) -> None:
    path = tmp_path / "arctic_a0001.lab"
    path.write_text("separator ;\nnfields 1\n#\n0.1000 125 sil\n0.25 125 sh\n0.4 125 iy\n")
    assert close(alignment.read_lab(path), SHE)


def test_audacity(tmp_path: Path) -> None:
    path = tmp_path / "u.txt"
    path.write_text("0.000000\t0.100000\tsil\n\\\t100.0\t2000.0\n0,100000\t0,250000\tsh\n0.25\t0.4\tiy\n")
    assert close(alignment.read(path)["u"], SHE)


LONG_TEXTGRID = '''File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 0.4
tiers? <exists>
size = 3
item []:
    item [1]:
        class = "IntervalTier"
        name = "words"
        xmin = 0
        xmax = 0.4
        intervals: size = 2
        intervals [1]:
            xmin = 0
            xmax = 0.1
            text = ""
        intervals [2]:
            xmin = 0.1
            xmax = 0.4
            text = "she ""says"""
    item [2]:
        class = "IntervalTier"
        name = "phones"
        xmin = 0
        xmax = 0.4
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 0.1
            text = ""
        intervals [2]:
            xmin = 0.1
            xmax = 0.25
            text = "ʃ"
        intervals [3]:
            xmin = 0.25
            xmax = 0.4
            text = "i"
    item [3]:
        class = "TextTier"
        name = "events"
        xmin = 0
        xmax = 0.4
        points: size = 1
        points [1]:
            number = 0.2
            mark = "click"
'''
SHORT_TEXTGRID = """File type = "ooTextFile"
Object class = "TextGrid"

0
0.4
<exists>
1
"IntervalTier"
"phones"
0
0.4
3
0
0.1
""
0.1
0.25
"ʃ"
0.25
0.4
"i"
"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("text", [LONG_TEXTGRID, SHORT_TEXTGRID], ids=["long", "short"])
def test_textgrid_long_and_short_in_any_encoding(tmp_path: Path, text: str, encoding: str) -> None:
    path = tmp_path / "u.TextGrid"
    path.write_text(text, encoding=encoding)
    assert close(alignment.read(path)["u"], [Interval(0.1, 0.25, "ʃ"), Interval(0.25, 0.4, "i")])


def test_textgrid_tiers(tmp_path: Path) -> None:
    path = tmp_path / "u.TextGrid"
    path.write_text(LONG_TEXTGRID, encoding="utf-8")
    tiers = alignment.read_tiers(path)
    assert list(tiers) == ["words", "phones"]
    assert tiers["words"] == [Interval(0.1, 0.4, 'she "says"')]
    assert alignment.read_textgrid(path, tier="words") == tiers["words"]
    with pytest.raises(InputError, match=r"no interval tier 'syllables'.*words, phones"):
        alignment.read_textgrid(path, tier="syllables")


def test_textgrid_without_a_phone_tier_asks_for_one(tmp_path: Path) -> None:
    path = tmp_path / "u.TextGrid"
    write_textgrid(path, {"words": SHE, "syllables": SHE})
    with pytest.raises(InputError, match=r"no tiers could be the phones \(name one; it has: words, syllables\)"):
        alignment.read_textgrid(path)


@pytest.mark.parametrize("mark", ["\n", "\r"])
@pytest.mark.parametrize("of", ['"i"', '"phones"'], ids=["label", "tier"])
def test_a_line_break_inside_a_textgrids_text_is_a_fault(tmp_path: Path, of: str, mark: str) -> None:
    path = tmp_path / "u.TextGrid"
    path.write_bytes(SHORT_TEXTGRID.replace(of, f'"{mark}'.join(of.split('"', 1)), 1).encode())
    with pytest.raises(InputError, match=r"u\.TextGrid: a line break or tab"):
        alignment.read_tiers(path)


def test_a_textgrid_with_null_bytes_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "u.TextGrid"
    path.write_bytes(SHORT_TEXTGRID.replace('"i"', '"i\0"').encode())
    with pytest.raises(InputError, match=r"u\.TextGrid: Praat cannot read it: .*null bytes"):
        alignment.read(path)


# Folders


def test_a_folder_is_read_by_stem_or_by_folder_and_stem(tmp_path: Path) -> None:
    for speaker in ("faem0", "mcpm0"):
        (tmp_path / speaker).mkdir()
        write_timit(tmp_path / speaker / "sa1.phn", SHE)
    assert sorted(alignment.read(tmp_path)) == ["faem0_sa1", "mcpm0_sa1"]
    assert sorted(alignment.read(tmp_path / "faem0")) == ["sa1"]
    alignment.write_ctm(tmp_path / "phones.ctm", {"only": SHE})
    assert sorted(alignment.read(tmp_path)) == ["only"]


def test_an_empty_folder_or_an_unknown_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no alignment in the folder"):
        alignment.read(tmp_path)
    (tmp_path / "u.xml").write_text("")
    with pytest.raises(InputError, match=r"suffix '\.xml'"):
        alignment.read(tmp_path / "u.xml")


# Round trips

labels = st.text("abcdefʃəŋ\"'", min_size=1, max_size=4)
ticks = st.lists(st.integers(1, 5000), min_size=1, max_size=12)


@given(ticks=ticks, data=st.data())
def test_written_intervals_are_read_back(tmp_path_factory: pytest.TempPathFactory, ticks: list[int], data) -> None:
    folder = tmp_path_factory.mktemp("round")
    ends = np.cumsum(ticks) / 1000
    starts = np.concatenate(([0.0], ends[:-1]))
    intervals = [Interval(float(start), float(end), data.draw(labels)) for start, end in zip(starts, ends, strict=True)]
    alignment.write_ctm(folder / "u.ctm", {"u": intervals})
    write_timit(folder / "u.phn", intervals)
    write_lab(folder / "u.lab", intervals)
    write_audacity(folder / "u.txt", intervals)
    write_textgrid(folder / "u.TextGrid", {"phones": intervals})
    for name in ("u.ctm", "u.phn", "u.lab", "u.txt", "u.TextGrid"):
        assert close(alignment.read(folder / name)["u"], intervals), name


@pytest.mark.parametrize("short", [False, True])
def test_textgrid_fills_gaps_as_praat_wants(tmp_path: Path, short: bool) -> None:
    parselmouth = pytest.importorskip("parselmouth")
    from parselmouth.praat import call

    path = tmp_path / "u.TextGrid"
    intervals = [Interval(0.1, 0.2, "a"), Interval(0.3, 0.4, "b")]
    write_textgrid(path, {"phones": intervals}, duration=1, short=short)
    grid = parselmouth.read(str(path))
    texts = [call(grid, "Get label of interval", 1, index) for index in range(1, 6)]
    assert texts == ["", "a", "", "b", ""]
    assert call(grid, "Get end time") == 1
    assert alignment.read_textgrid(path) == intervals


def test_textgrid_cannot_hold_overlaps(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="overlaps"):
        write_textgrid(tmp_path / "u.TextGrid", {"phones": [Interval(0, 0.2, "a"), Interval(0.1, 0.3, "b")]})


# Malformed files: one line that names file and line


@pytest.mark.parametrize(
    ("name", "text", "line", "problem"),
    [
        ("u.ctm", "u 1 0 0.1 a\nu 1 0.1 b\n", 2, "4 fields"),
        ("u.ctm", "u 1 zero 0.1 a\n", 1, "start 'zero' is no number"),
        ("u.ctm", "u 1 0 nan a\n", 1, "duration 'nan' is no number"),
        ("u.ctm", "u 1 0.2 -0.1 a\n", 1, "below 0"),
        ("u.ctm", "", None, "no intervals"),
        ("u.phn", "0 10 a\n10 20\n", 2, "2 fields"),
        ("u.phn", "0 10.5 a\n", 1, "no whole number"),
        ("u.phn", "10 5 a\n", 1, "ends .* before it starts"),
        ("u.phn", "10 15 a\n0 10 b\n", 2, "before the line above"),
        ("u.lab", "a\nb\n", 1, "1 fields"),
        ("u.lab", "0 x a\n", 1, "end 'x' is no number"),
        ("u.lab", "0.0 0.5 a\n", 1, "no whole number.*100 ns"),
        ("u.lab", "#\n0.1 125\n", 2, "2 fields"),
        ("u.txt", "0 0.1 a\n", 1, "tab-separated"),
        ("u.txt", "0\tb\ta\n", 1, "end 'b' is no number"),
        ("u.TextGrid", "nothing", None, "Praat cannot read it"),
        ("u.TextGrid", LONG_TEXTGRID[:400], None, "Praat cannot read it"),
    ],
)
def test_a_malformed_file_is_named(tmp_path: Path, name: str, text: str, line: int | None, problem: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InputError, match=problem) as caught:
        alignment.read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}:{line}: " if line else f"{path}: ")
    assert "\n" not in message


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    path = tmp_path / "u.lab"
    path.write_bytes(b"0 10 a\n\x80\x81\n")
    with pytest.raises(InputError, match="neither UTF-8"):
        alignment.read(path)


# Faults


def test_faults_are_found_and_placed() -> None:
    found = alignment.faults(
        {
            "gap": [Interval(0, 0.1, "a"), Interval(0.2, 0.3, "b")],
            "overlap": [Interval(0, 0.2, "a"), Interval(0.1, 0.3, "b")],
            "late": [Interval(0, 2.0, "a")],
            "empty": [Interval(0.5, 0.5, "a")],
            "early": [Interval(-0.5, 0.5, "a")],
            "sound": SHE,
        },
        {"late": 1.5, "sound": 0.4},
    )
    assert [(fault.utterance, fault.kind, fault.start, fault.end) for fault in found] == [
        ("gap", "gap", 0.1, 0.2),
        ("overlap", "overlap", 0.1, 0.2),
        ("late", "past the end", 1.5, 2.0),
        ("empty", "empty", 0.5, 0.5),
        ("early", "before the start", -0.5, 0.0),
    ]
    assert str(found[0]) == "gap: gap from 0.1000 to 0.2000 s between 'a' and 'b'"


def test_rounding_is_no_fault() -> None:
    assert alignment.faults({"u": [Interval(0, 0.1, "a"), Interval(0.11, 0.2, "b")]}, {"u": 0.19}) == []


# Labels at times


def test_labels_at_times() -> None:
    intervals = [Interval(0.1, 0.2, "a"), Interval(0.2, 0.3, "b"), Interval(0.4, 0.5, "c")]
    times = [0.0, 0.1, 0.199, 0.2, 0.3, 0.35, 0.45, 0.5]
    assert alignment.labels_at(intervals, times).tolist() == ["sil", "a", "a", "b", "sil", "sil", "c", "sil"]
    assert alignment.labels_at([], times, gap="-").tolist() == ["-"] * 8


def test_a_boundary_is_met_despite_rounding() -> None:
    # 0.02 + 7 * 0.04 is 0.30000000000000004 or 0.3 by the order of the sum; the label is that of the later phone.
    times = 0.02 + 0.04 * np.arange(9)
    assert alignment.labels_at([Interval(0, 0.3, "a"), Interval(0.3, 0.5, "b")], times)[7] == "b"


@given(ticks)
def test_labels_at_is_what_a_search_of_every_interval_finds(ticks: list[int]) -> None:
    ends = np.cumsum(ticks)
    intervals = [
        Interval(float(start), float(end), str(index))
        for index, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True))
    ]
    times = np.arange(0, ends[-1] + 2, max(1, ends[-1] // 50)) + 0.5
    slow = [next((label for start, end, label in intervals if start <= time < end), "sil") for time in times]
    assert alignment.labels_at(intervals, times).tolist() == slow


def test_boundaries() -> None:
    intervals = [Interval(0, 0.1, "n"), Interval(0.1, 0.2, "n"), Interval(0.2, 0.3, "c"), Interval(0.4, 0.5, "d")]
    assert alignment.boundaries(intervals).tolist() == [0.1, 0.2, 0.3, 0.4]
    assert alignment.boundaries([]).tolist() == []


def test_a_gap_of_rounding_is_one_boundary() -> None:
    assert alignment.boundaries([Interval(0, 0.10, "a"), Interval(0.11, 0.2, "b")]).tolist() == [0.11]


def test_a_pause_left_out_beside_silence_is_part_of_it() -> None:
    written = [Interval(0, 1, "a"), Interval(1, 1.2, "sil"), Interval(1.3, 1.5, "b")]
    assert alignment.boundaries(written).tolist() == [1, 1.3]
    assert alignment.boundaries([Interval(0, 1, "sil"), Interval(1.3, 1.5, "sil")]).tolist() == []


# Phone sets

TIMIT_LABELS = """
aa ae ah ao aw ax ax-h axr ay b bcl ch d dcl dh dx eh el em en eng epi er ey f g gcl h# hh hv ih ix iy jh k kcl l
m n ng nx ow oy p pau pcl q r s sh t tcl th uh uw ux v w y z zh
"""
TIMIT_61 = TIMIT_LABELS.split()


def folded(labels: list[str], phone_set: alignment.PhoneSet) -> list[str]:
    row = [Interval(float(index), index + 1.0, label) for index, label in enumerate(labels)]
    return [interval.label for interval in alignment.fold({"u": row}, phone_set)["u"]]


def test_timit_folds_61_to_48_to_39() -> None:
    assert len(TIMIT_61) == 61
    assert len(set(folded(TIMIT_61, "timit-48"))) == 48
    assert len(set(folded(TIMIT_61, "timit-39"))) == 39
    assert len(set(folded([*TIMIT_61, "spn"], "paper-41"))) == 41
    # Folding what is folded changes nothing, and 61 -> 48 -> 39 is 61 -> 39.
    assert folded(folded(TIMIT_61, "timit-48"), "timit-39") == folded(TIMIT_61, "timit-39")
    for phone_set in ("timit-48", "timit-39", "paper-41"):
        once = folded(TIMIT_61, phone_set)
        assert folded(once, phone_set) == once


@pytest.mark.parametrize(
    ("label", "phone"),
    [
        ("AH0", "ah"), ("AH1_B", "ah"), ("SIL_S", "sil"), ("", "sil"), ("sp", "sil"), ("pau", "sil"), ("SPN", "spn"),
        ("ax", "ah"), ("bcl", "b"), ("axr", "er"), ("dx", "d"), ("ZH", "zh"), ("HH_I", "hh"), ("<eps>", "sil"),
    ],
)  # fmt: skip
def test_paper_41_takes_kaldis_mfas_and_hts_labels(label: str, phone: str) -> None:
    assert folded([label], "paper-41") == [phone]


def test_an_unknown_label_is_named_with_its_place() -> None:
    with pytest.raises(InputError, match=r"u at 1\.000 s: no phone for label 'ʃ' \(.*--phone-map"):
        folded(["sh", "ʃ"], "paper-41")
    assert alignment.unknown_labels(["sh", "ʃ", "AH0"], "paper-41") == ["ʃ"]


def test_fold_merges_a_closure_with_its_stop_on_demand() -> None:
    row = [Interval(0, 0.1, "bcl"), Interval(0.1, 0.2, "b"), Interval(0.3, 0.4, "b")]
    assert alignment.fold({"u": row}, "paper-41", merge=True)["u"] == [Interval(0, 0.2, "b"), Interval(0.3, 0.4, "b")]
    assert len(alignment.fold({"u": row}, "paper-41")["u"]) == 3


def test_fold_leaves_two_phones_in_a_row_two() -> None:
    def merged(*labels: str) -> list[str]:
        row = [Interval(float(index), index + 1.0, label) for index, label in enumerate(labels)]
        return [interval.label for interval in alignment.fold({"u": row}, "paper-41", merge=True)["u"]]

    assert merged("t", "eh", "n", "n", "ey", "l", "z") == ["t", "eh", "n", "n", "ey", "l", "z"]
    assert merged("tcl", "t", "tcl", "t") == ["t", "t"]
    assert merged("t", "tcl", "pau", "h#") == ["t", "t", "sil"]


def test_a_users_map(tmp_path: Path) -> None:
    path = tmp_path / "map.txt"
    path.write_text(";; IPA\nʃ sh\ni iy\n")
    table = alignment.read_phone_map(path)
    assert alignment.fold({"u": [Interval(0, 1, "ʃ")]}, table)["u"][0].label == "sh"
    with pytest.raises(InputError, match="no phone for label 'x'"):
        alignment.fold({"u": [Interval(0, 1, "x")]}, table)
    path.write_text("a b\na c\n")
    with pytest.raises(InputError, match=r"map\.txt:2: label 'a' has two phones"):
        alignment.read_phone_map(path)
    path.write_text("a\n")
    with pytest.raises(InputError, match=r"map\.txt:1: 1 fields"):
        alignment.read_phone_map(path)


def test_every_phone_has_a_class() -> None:
    assert all(alignment.phone_class(phone) != "other" for phone in TIMIT_61)
    assert alignment.phone_class("iy") == "vowels"
    assert alignment.phone_class("ŋ") == "other"


TIMIT = Path(__file__).parents[3] / "shared" / "data" / "timit"


@pytest.mark.skipif(not TIMIT.is_dir(), reason="no TIMIT beside the repository")
def test_the_real_timit_is_sound() -> None:
    read = alignment.read(TIMIT)
    assert len(read) == 30
    assert alignment.faults(read) == []
    alignment.fold(read, "paper-41")
