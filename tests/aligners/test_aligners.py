"""Alignment of a data directory: transcripts to words, lexicons, imported TextGrids, PocketSphinx on real speech."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from label_writers import write_textgrid

from vqspeech import alignment
from vqspeech.aligners import Aligned, Aligner, AlignmentFailure, UnknownWordError, read_textgrids
from vqspeech.aligners.lexicon import read_lexicon, words_of
from vqspeech.alignment import Interval
from vqspeech.cli import align
from vqspeech.datadir import Utterance
from vqspeech.errors import InputError

TIMIT = Path(__file__).parents[3] / "shared" / "data" / "timit"


def command(*arguments: object) -> None:
    """What ``vqspeech align`` does with these arguments."""
    parser = argparse.ArgumentParser()
    align.add_arguments(parser)
    align.run(parser.parse_args([str(argument) for argument in arguments]))


# Words and pronunciations


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Please call Stella.", ["please", "call", "stella"]),
        ("DON\u2019T -- it's 'quoted'!", ["don't", "it's", "quoted"]),
        ("a caf\u00e9, na\u00efve", ["a", "cafe", "naive"]),
        ("well-known", ["well", "known"]),
        ("...", []),
    ],
)
def test_words_of_a_transcript(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_numbers_are_written_out() -> None:
    pytest.importorskip("inflect")
    assert words_of("It is 25.") == ["it", "is", "twenty", "five"]
    assert words_of("1,000 men") == ["one", "thousand", "men"]


def test_a_lexicon(tmp_path: Path) -> None:
    path = tmp_path / "lexicon.txt"
    path.write_text(";;; mine\nVQVAE V IY0 K Y UW1 V EY1\nread  r eh d\nREAD(2) R IY1 D\n")
    assert read_lexicon(path) == {"vqvae": ("v", "iy", "k", "y", "uw", "v", "ey"), "read": ("r", "eh", "d")}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("good G UH1 D\nbad B XX\n", r"lexicon\.txt:2: 'xx' is no phone"),
        ("mute\n", r"lexicon\.txt:1: .* has no phones"),
    ],
)
def test_a_faulty_lexicon_is_named(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "lexicon.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=problem):
        read_lexicon(path)


# Imported TextGrids

PHONES = [Interval(0.0, 0.1, "sil"), Interval(0.1, 0.3, "AH0"), Interval(0.3, 0.5, "B")]
WORDS = [Interval(0.1, 0.5, "ub")]


def data_directory(folder: Path, names: list[str], text: str = "a b") -> Path:
    soundfile = pytest.importorskip("soundfile")
    folder.mkdir()
    for name in names:
        noise = np.random.default_rng(0).normal(size=8000) * 0.01
        soundfile.write(folder / f"{name}.wav", noise, 16_000)
    (folder / "wav.scp").write_text("".join(f"{name} {folder / name}.wav\n" for name in names))
    (folder / "utt2spk").write_text("".join(f"{name} s\n" for name in names))
    (folder / "spk2utt").write_text(f"s {' '.join(names)}\n")
    (folder / "text").write_text("".join(f"{name} {text}\n" for name in names))
    return folder


def test_textgrids_are_imported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = data_directory(tmp_path / "data", ["s_1", "s_2", "s_3"])
    for name in ("s_1", "2"):  # as MFA names them: by utterance, in one folder per speaker
        write_textgrid(tmp_path / "mfa" / "s" / f"{name}.TextGrid", {"words": WORDS, "phones": PHONES})
    command(data, "--from-mfa", tmp_path / "mfa")
    assert "2 of 3 utterances aligned" in capsys.readouterr().out
    read = alignment.read(data)
    assert list(read) == ["s_1", "s_2"]
    assert [phone.label for phone in read["s_2"]] == ["sil", "AH0", "B"]
    assert alignment.read_ctm(data / "words.ctm")["s_1"][0].label == "ub"
    assert (data / "align.failed").read_text() == "s_3 no TextGrid of this name\n"


def test_tiers_can_be_named(tmp_path: Path) -> None:
    write_textgrid(tmp_path / "s_1.TextGrid", {"Wort": WORDS, "Laut": PHONES})
    read, failed = read_textgrids(tmp_path, ["s_1"], phones="Laut", words="Wort")
    assert (len(read["s_1"].phones), len(read["s_1"].words), failed) == (3, 1, {})
    with pytest.raises(InputError, match="no tiers could be the phones"):
        read_textgrids(tmp_path, ["s_1"])
    with pytest.raises(InputError, match="no alignment of any utterance; other: no TextGrid"):
        read_textgrids(tmp_path, ["other"])
    with pytest.raises(InputError, match="no such folder"):
        read_textgrids(tmp_path / "nowhere", ["s_1"])


# The command, with an aligner that is quick and knows when to fail


class QuickAligner:
    calls = 0

    def __init__(self, lexicon: object) -> None:
        pass

    def align(self, waveform: np.ndarray, text: str) -> Aligned:
        QuickAligner.calls += 1
        if text == "fails":
            raise AlignmentFailure("the text is not found in the sound")
        if text == "interrupts":
            raise KeyboardInterrupt
        return Aligned(PHONES, WORDS)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> type[QuickAligner]:
    monkeypatch.setattr("vqspeech.aligners.Aligner", QuickAligner)
    QuickAligner.calls = 0
    return QuickAligner


def test_what_fails_is_listed_with_the_reason(
    tmp_path: Path, quick: type[QuickAligner], capsys: pytest.CaptureFixture[str]
) -> None:
    data = data_directory(tmp_path / "data", ["s_1", "s_2", "s_3"])
    (data / "text").write_text("s_1 a b\ns_2 fails\ns_3 a\n")
    command(data, "--jobs", 1)
    assert "1 failed, e.g. s_2: the text is not found" in capsys.readouterr().out
    assert list(alignment.read(data)) == ["s_1", "s_3"]
    assert (data / "align.failed").read_text() == "s_2 the text is not found in the sound\n"
    assert not (data / "align.partial").exists()


def test_an_interrupted_run_goes_on_where_it_was(
    tmp_path: Path, quick: type[QuickAligner], capsys: pytest.CaptureFixture[str]
) -> None:
    data = data_directory(tmp_path / "data", ["s_1", "s_2", "s_3"])
    (data / "text").write_text("s_1 a b\ns_2 a\ns_3 interrupts\n")
    with pytest.raises(KeyboardInterrupt):
        command(data, "--jobs", 1)
    with (data / "align.partial").open("a") as file:
        file.write('{"id": "s_3", "te')  # killed in the middle of a line
    (data / "text").write_text("s_1 a b\ns_2 another\ns_3 a\n")
    command(data, "--jobs", 1)
    assert "1 utterance aligned before, 2 left" in capsys.readouterr().out
    assert quick.calls == 3 + 2
    assert list(alignment.read(data)) == ["s_1", "s_2", "s_3"]


def test_another_lexicon_starts_afresh(tmp_path: Path, quick: type[QuickAligner]) -> None:
    data = data_directory(tmp_path / "data", ["s_1", "s_2"])
    (data / "text").write_text("s_1 a b\ns_2 interrupts\n")
    with pytest.raises(KeyboardInterrupt):
        command(data, "--jobs", 1)
    settings = json.loads((data / "align.partial").read_text().splitlines()[0])
    assert set(settings) == {"settings"}
    (data / "text").write_text("s_1 a b\ns_2 a\n")
    (tmp_path / "lexicon.txt").write_text("a AH\n")
    command(data, "--jobs", 1, "--lexicon", tmp_path / "lexicon.txt")
    assert quick.calls == 2 + 2


def test_nothing_aligned_is_an_error(tmp_path: Path, quick: type[QuickAligner]) -> None:
    data = data_directory(tmp_path / "data", ["s_1"], text="fails")
    with pytest.raises(InputError, match="not one utterance could be aligned; s_1: the text is not found"):
        command(data, "--jobs", 1)
    with pytest.raises(InputError, match="--words-tier"):
        command(data, "--words-tier", "x")


def test_utterances_without_text_fail_alone(tmp_path: Path, quick: type[QuickAligner]) -> None:
    align._start({})
    assert align._align(Utterance(id="u", speaker="u", recording="nowhere.wav"))["failed"] == "no text"
    assert "nowhere.wav" in align._align(Utterance(id="u", speaker="u", recording="nowhere.wav", text="a"))["failed"]


# PocketSphinx itself


def test_silence_and_unspoken_text_fail_with_a_reason() -> None:
    pytest.importorskip("pocketsphinx")
    aligner = Aligner()
    with pytest.raises(AlignmentFailure, match="no words"):
        aligner.align(np.zeros(16_000, np.float32), "...")
    with pytest.raises(AlignmentFailure, match="too short"):
        aligner.align(np.zeros(100, np.float32), "yes")
    with pytest.raises(AlignmentFailure, match="not found in the sound"):
        aligner.align(np.zeros(3200, np.float32), "many more words than so short a sound can ever have held in it")


def test_a_word_of_unknown_phones_is_asked_for_where_a_lexicon_can_be_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pocketsphinx")
    with pytest.raises(UnknownWordError, match=r"^no pronunciation of 'да'$"):
        Aligner().align(np.zeros(8000, np.float32), "да")
    soundfile.write(tmp_path / "a.wav", np.zeros(8000), 16_000)
    monkeypatch.setattr(align, "_aligner", Aligner())
    row = align._align(Utterance(id="u", speaker="u", recording=str(tmp_path / "a.wav"), text="да"))
    assert row["failed"] == "no pronunciation of 'да': give it in a --lexicon"


@pytest.mark.skipif(not TIMIT.is_dir(), reason="no TIMIT beside the repository")
def test_boundaries_are_near_those_of_timits_labellers() -> None:
    pytest.importorskip("pocketsphinx")
    from vqspeech import audio

    aligner = Aligner({"greasy": ("g", "r", "iy", "z", "iy")})
    path = next(TIMIT.rglob("sa1.flac"))
    waveform = audio.read(path)
    found = aligner.align(waveform, "She had your dark suit in greasy wash water all year.")
    assert [word.label for word in found.words][:7] == ["she", "had", "your", "dark", "suit", "in", "greasy"]
    assert found.phones[0].start == 0
    assert found.phones[-1].end == pytest.approx(len(waveform) / 16_000)
    assert alignment.faults({"sa1": found.phones}) == []
    heard = [phone.label for phone in found.phones if found.words[6].start <= phone.start < found.words[6].end]
    assert heard == ["g", "r", "iy", "z", "iy"]
    labelled = alignment.boundaries(
        alignment.fold({"u": alignment.read_timit(path.with_suffix(".phn"))}, "paper-41")["u"]
    )
    off = [np.abs(labelled - time).min() for time in alignment.boundaries(found.phones)]
    assert np.median(off) < 0.02
