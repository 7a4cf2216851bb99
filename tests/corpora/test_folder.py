"""A plain folder with one sub-folder per speaker."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_corpora import Sound, everything

from vqspeech.corpora.folder import prepare
from vqspeech.corpora.parts import Parts
from vqspeech.errors import InputError


def test_names_become_ids(tmp_path: Path, sound: Sound) -> None:
    sound(tmp_path / "Jörg Müller" / "day 1" / "take 1.wav")
    sound(tmp_path / "ann" / "x.MP3".lower())
    sound(tmp_path / "ann" / ".hidden.wav")
    (tmp_path / "ann" / "notes.pdf").write_text("")
    found = everything(prepare(tmp_path))
    assert sorted(found) == ["Jörg_Müller-day_1-take_1", "ann-x"]
    assert found["Jörg_Müller-day_1-take_1"].recording == str(tmp_path / "Jörg Müller" / "day 1" / "take 1.wav")
    assert found["ann-x"].text is None


def test_transcripts_beside(tmp_path: Path, sound: Sound, caplog: pytest.LogCaptureFixture) -> None:
    sound(tmp_path / "ann" / "a.wav", txt="hello\n")
    sound(tmp_path / "ann" / "b.wav")
    found = everything(prepare(tmp_path))
    assert {name: u.text for name, u in found.items()} == {"ann-a": "hello"}
    assert "b.wav" in caplog.text
    assert len(everything(prepare(tmp_path, text=False))) == 2


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ([], "no recordings found"),
        (["a.wav"], "1 recording but no speaker folders"),
        (["ann/a.wav", "ann/a.flac"], "same id ann-a as another"),
        (["ann b/a.wav", "ann_b/a.wav"], "same id as"),
        (["ann/a.wav", "ann-b/a.wav"], "speaker 'ann' begins the name of 'ann-b'"),
    ],
)
def test_other_layouts(tmp_path: Path, sound: Sound, files: list[str], problem: str) -> None:
    for file in files:
        sound(tmp_path / file)
    with pytest.raises(InputError, match=problem):
        prepare(tmp_path)


@pytest.mark.parametrize("shares", [(0.5, 0.5), (-0.1, 0.1), (1.0, 0.0)])
def test_shares_must_leave_something_to_train_from(shares: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="leave nothing to train from"):
        Parts(dev=shares[0], test=shares[1])
