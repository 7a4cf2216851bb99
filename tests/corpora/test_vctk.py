"""VCTK in its 0.92 and 0.80 layouts."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_corpora import Sound, everything

from vqspeech.corpora.parts import Parts
from vqspeech.corpora.vctk import prepare
from vqspeech.datadir import validate
from vqspeech.errors import InputError


@pytest.fixture
def vctk092(tmp_path: Path, sound: Sound) -> Path:
    root = tmp_path / "VCTK-Corpus-0.92"
    for speaker, mics in (("p225", (1, 2)), ("p280", (1,)), ("p315", (1,)), ("s5", (1, 2))):
        for n in range(1, 9):
            for mic in mics:
                sound(root / "wav48_silence_trimmed" / speaker / f"{speaker}_{n:03d}_mic{mic}.flac", rate=48_000)
            if speaker != "p315":
                text = root / "txt" / speaker / f"{speaker}_{n:03d}.txt"
                text.parent.mkdir(parents=True, exist_ok=True)
                text.write_text(f"Sentence {n}. \n")
    (root / "wav48_silence_trimmed" / "log.txt").write_text("")
    rows = ["ID  AGE  GENDER  ACCENTS  REGION COMMENTS ", "p225  23  F    English    Southern  England"]
    rows += ["p280  25  F  French  France (mic2 files unavailable)", "s5 30 M English", "p315 18 M American"]
    (root / "speaker-info.txt").write_text("\n".join(rows))
    return root


@pytest.fixture
def vctk080(tmp_path: Path, sound: Sound) -> Path:
    root = tmp_path / "VCTK-Corpus"
    for n in range(1, 6):
        sound(root / "wav48" / "p225" / f"p225_{n:03d}.wav", rate=48_000)
        (root / "txt" / "p225").mkdir(parents=True, exist_ok=True)
        (root / "txt" / "p225" / f"p225_{n:03d}.txt").write_text(f"Sentence {n}.\n")
    (root / "speaker-info.txt").write_text(
        "ID  AGE  GENDER  ACCENTS  REGION\n225  23  F    English    Southern  England\n"
    )
    return root


def test_092(vctk092: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    parts = prepare(vctk092)
    found = everything(parts)
    assert len(found) == 24
    first = found["p225_001"]
    assert first.recording == str(vctk092 / "wav48_silence_trimmed" / "p225" / "p225_001_mic1.flac")
    assert (first.speaker, first.text, first.gender, first.duration) == ("p225", "Sentence 1.", "f", 0.1)
    assert found["s5_001"].gender == "m"
    assert "p315 has no transcripts" in caplog.text
    for name, part in parts.items():
        part.write(tmp_path / name)
        assert validate(tmp_path / name) == []


def test_each_speaker_is_in_every_part(vctk092: Path) -> None:
    parts = prepare(vctk092, parts=Parts(dev=0.01, test=0.01))
    assert [part.speakers for part in parts.values()] == [("p225", "p280", "s5")] * 3


def test_second_microphone(vctk092: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = everything(prepare(vctk092, mic="mic2"))
    assert {u.speaker for u in found.values()} == {"p225", "s5"}
    assert found["p225_001"].recording.endswith("p225_001_mic2.flac")
    assert "p280 has no recordings of microphone" in caplog.text


def test_without_text_the_untranscribed_speaker_is_taken(vctk092: Path) -> None:
    found = everything(prepare(vctk092, text=False))
    assert len(found) == 32
    assert {u.text for u in found.values()} == {None}


def test_080_from_the_folder_above(vctk080: Path) -> None:
    found = everything(prepare(vctk080.parent))
    assert sorted(found) == [f"p225_{n:03d}" for n in range(1, 6)]
    assert found["p225_001"].gender == "f"


def test_080_has_one_microphone(vctk080: Path) -> None:
    with pytest.raises(InputError, match="one microphone"):
        prepare(vctk080, mic="mic2")


def test_one_missing_transcript(vctk080: Path, caplog: pytest.LogCaptureFixture) -> None:
    (vctk080 / "txt" / "p225" / "p225_003.txt").unlink()
    assert "p225_003" not in everything(prepare(vctk080))
    assert "no transcript: p225_003.wav" in caplog.text


def test_unreadable_and_empty_audio_is_left_out(vctk080: Path, caplog: pytest.LogCaptureFixture) -> None:
    (vctk080 / "wav48" / "p225" / "p225_003.wav").write_bytes(b"no audio")
    assert len(everything(prepare(vctk080))) == 4
    assert "p225_003.wav" in caplog.text


def test_chosen_speakers(vctk092: Path) -> None:
    assert {u.speaker for u in everything(prepare(vctk092, speakers=["s5"])).values()} == {"s5"}


def test_an_unknown_speaker_names_the_nearest(vctk092: Path) -> None:
    with pytest.raises(InputError, match=r"no speaker 'p22' .*p225"):
        prepare(vctk092, speakers=["p22"])


@pytest.mark.parametrize("make", [lambda p: None, lambda p: p.mkdir(), lambda p: (p / "wav48").mkdir(parents=True)])
def test_another_layout_says_what_is_expected(tmp_path: Path, make: object) -> None:
    make(tmp_path / "x")  # type: ignore[operator]
    with pytest.raises(InputError, match="expected wav48_silence_trimmed/p225/"):
        prepare(tmp_path / "x")
