"""TIMIT in its own layout and in NLTK's."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_corpora import Sound, everything

from vqspeech.corpora.parts import Parts
from vqspeech.corpora.timit import label_file, prepare
from vqspeech.errors import InputError


def test_its_own_layout(tmp_path: Path, sound: Sound) -> None:
    for part, speaker in (("TRAIN", "FCJF0"), ("TEST", "MDAB0")):
        file = tmp_path / "TIMIT" / part / "DR1" / speaker / "SA1.WAV"
        sound(file, PHN="0 800 h#\n800 1600 sh\n", TXT="0 1600 She had your dark suit.\n", WRD="")
    parts = prepare(tmp_path, parts=Parts(by="official"))
    assert {name: part.speakers for name, part in parts.items()} == {"test": ("mdab0",), "train": ("fcjf0",)}
    utterance = parts["train"]["fcjf0-sa1"]
    assert (utterance.text, utterance.gender, utterance.duration) == ("She had your dark suit.", "f", 0.1)
    assert label_file(utterance) == tmp_path / "TIMIT" / "TRAIN" / "DR1" / "FCJF0" / "SA1.PHN"


def test_nltks_layout(tmp_path: Path, sound: Sound) -> None:
    for name in ("sa1", "si100"):
        sound(tmp_path / "dr1-mcpm0" / f"{name}.flac", phn="0 1600 h#\n", txt="She had.\n", wrd="")
    sound(tmp_path / "dr1-mcpm0" / "sx9.flac", phn="0 1600 h#\n")
    (tmp_path / "dr1-mcpm0" / "sx10.phn").write_text("0 1600 h#\n")
    found = everything(prepare(tmp_path))
    assert sorted(found) == ["mcpm0-sa1", "mcpm0-si100"]
    assert {(u.speaker, u.gender, u.text) for u in found.values()} == {("mcpm0", "m", "She had.")}
    with pytest.raises(InputError, match="no division of its own"):
        prepare(tmp_path, parts=Parts(by="official"))


def test_another_layout(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no .phn labels found \(expected TRAIN/DR1/FCJF0/SA1.WAV"):
        prepare(tmp_path)
