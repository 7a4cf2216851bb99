"""Corpora by way of lhotse."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from small_corpora import Sound, everything

from vqspeech.corpora.lhotse import prepare
from vqspeech.corpora.parts import Parts
from vqspeech.errors import InputError

lhotse = pytest.importorskip("lhotse")


def manifests(folder: Path, part: str, audio: Path, *, channels: int = 1, **fields: Any) -> None:
    source = lhotse.audio.AudioSource(type="file", channels=list(range(channels)), source=str(audio))
    recording = lhotse.Recording(id="rec 1", sources=[source], sampling_rate=16_000, num_samples=1600, duration=0.1)
    supervision = lhotse.SupervisionSegment(
        **{"id": f"{part}-1", "recording_id": "rec 1", "start": 0.0, "duration": 0.1, "speaker": "ann"} | fields
    )
    folder.mkdir(exist_ok=True)
    lhotse.RecordingSet.from_recordings([recording]).to_file(folder / f"x_recordings_{part}.jsonl.gz")
    lhotse.SupervisionSet.from_segments([supervision]).to_file(folder / f"x_supervisions_{part}.jsonl.gz")


def test_manifests(tmp_path: Path, sound: Sound) -> None:
    audio = sound(tmp_path / "a.wav")
    manifests(tmp_path / "m", "train", audio, text="so  it is", gender="Female")
    manifests(tmp_path / "m", "dev", audio, start=0.02, duration=0.05)
    parts = prepare(tmp_path / "m", parts=Parts(by="official"))
    whole, cut = parts["train"]["ann-train-1"], parts["dev"]["ann-dev-1"]
    assert (whole.speaker, whole.recording, whole.text, whole.gender) == ("ann", str(audio), "so it is", "f")
    assert (whole.start, whole.recording_id) == (None, None)
    assert (cut.start, cut.end, cut.recording_id) == (0.02, pytest.approx(0.07), "rec_1")
    assert len(everything(prepare(tmp_path / "m"))) == 2


@pytest.mark.parametrize("place", ["data", "John's data; touch ran", "$(touch ran)"])
def test_one_channel_of_several_is_a_pipe(tmp_path: Path, sound: Sound, place: str) -> None:
    folder = tmp_path / place
    folder.mkdir()
    manifests(tmp_path / "m", "all", sound(folder / "a.wav"), channels=2, channel=1)
    (utterance,) = everything(prepare(tmp_path / "m")).values()
    words = shlex.split(utterance.recording.removesuffix("|"))
    assert words == ["sox", str(folder / "a.wav"), "-t", "wav", "-", "remix", "2"]
    # The shell, too, sees one name.
    show = utterance.recording.removesuffix("|").replace("sox", "printf '%s\\n'", 1)
    shown = subprocess.run(show, shell=True, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert shown.splitlines()[0] == str(folder / "a.wav")
    assert not (tmp_path / "ran").exists()


def test_a_recipe(tmp_path: Path, sound: Sound) -> None:
    for n in range(60):
        sound(tmp_path / f"{'_'.join(f'{n:08b}')}.wav")
    found = everything(prepare(tmp_path, recipe="yesno"))
    assert len(found) == 60
    assert all(u.text for u in found.values())


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no pair of manifests"):
        prepare(tmp_path)
    with pytest.raises(InputError, match="lhotse has no recipe 'klingon'"):
        prepare(tmp_path, recipe="klingon")
    (tmp_path / "recordings.jsonl").write_text("{]\n")
    (tmp_path / "supervisions.jsonl").write_text("{]\n")
    with pytest.raises(InputError, match="not a lhotse manifest"):
        prepare(tmp_path)
