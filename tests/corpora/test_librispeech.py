"""LibriSpeech, whole or in part, FLAC or Opus."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_corpora import Sound, everything

from vqspeech.corpora.librispeech import prepare
from vqspeech.corpora.parts import Parts
from vqspeech.errors import InputError


@pytest.fixture
def libri(tmp_path: Path, sound: Sound) -> Path:
    root = tmp_path / "LibriSpeech"
    chapters = (("train-clean-5", "19", "198"), ("train-clean-5", "19", "227"), ("dev-clean-2", "84", "1"))
    for part, speaker, chapter in chapters:
        names = [f"{speaker}-{chapter}-{n:04d}" for n in range(6)]
        for name in names:
            sound(root / part / speaker / chapter / f"{name}{'.opus' if chapter == '227' else '.flac'}")
        lines = "".join(f"{name} HELLO {name[-1]}\n" for name in names)
        (root / part / speaker / chapter / f"{speaker}-{chapter}.trans.txt").write_text(lines)
    rows = [";ID  |SEX| SUBSET           |MINUTES| NAME", "19   | F | train-clean-100  | 25.19 | Kara"]
    (root / "SPEAKERS.TXT").write_text("\n".join([*rows, "84   | M | dev | 8 | X | Y"]))
    return root


def test_the_whole(libri: Path) -> None:
    found = everything(prepare(libri))
    assert len(found) == 18
    first = found["19-198-0000"]
    assert (first.speaker, first.text, first.gender) == ("19", "HELLO 0", "f")
    assert found["19-227-0003"].recording == str(libri / "train-clean-5" / "19" / "227" / "19-227-0003.opus")
    assert found["84-1-0000"].gender == "m"
    assert found["19-227-0003"].duration == pytest.approx(0.1, abs=0.01)


def test_one_part_finds_the_genders_above_it(libri: Path) -> None:
    found = everything(prepare(libri / "train-clean-5"))
    assert {u.speaker for u in found.values()} == {"19"}
    assert {u.gender for u in found.values()} == {"f"}


def test_official_parts(libri: Path) -> None:
    parts = prepare(libri, parts=Parts(by="official"))
    assert {name: part.speakers for name, part in parts.items()} == {"dev": ("84",), "train": ("19",)}


def test_audio_without_transcript_and_transcript_without_audio(libri: Path, caplog: pytest.LogCaptureFixture) -> None:
    chapter = libri / "train-clean-5" / "19" / "198"
    (chapter / "19-198-0001.flac").rename(chapter / "19-198-0100.flac")
    assert len(everything(prepare(libri))) == 17
    assert "no transcript: 19-198-0100.flac" in caplog.text
    assert "without audio: 19-198-0001" in caplog.text


def test_a_transcript_without_words(libri: Path) -> None:
    file = libri / "dev-clean-2" / "84" / "1" / "84-1.trans.txt"
    file.write_text("84-1-0000 A\n84-1-0001\n")
    with pytest.raises(InputError, match=r"84-1.trans.txt:2: 84-1-0001 has no words"):
        prepare(libri)


def test_another_layout(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no chapter .* \(expected train-clean-5/19/198"):
        prepare(tmp_path)
