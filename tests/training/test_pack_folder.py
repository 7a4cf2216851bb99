"""``vqspeech.training.pack``: a folder of packs is the speech of one pack, and opens as fast however large it is."""

from __future__ import annotations

import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from small_training import RATE, make_preset, voice, write_data

from vqspeech import audio
from vqspeech.cli.main import main
from vqspeech.datadir import DataDir, Utterance
from vqspeech.errors import InputError
from vqspeech.training.dataset import PitchTrack, Segments, held_out
from vqspeech.training.pack import PITCH_HOP, Pack, read_pack, speech, write_pack
from vqspeech.training.pack.file import Ids, PackFile
from vqspeech.training.pack_cache import cached_pack

LENGTHS = {"ann": [3000, 2500, 999], "bob": [4000, 2000], "cyd": [1500], "dan": [1200, 1300, 1400, 1700]}


def write(data: Path, target: Path, shard: tuple[int, int] | None = None, *, pitch: bool = False) -> Pack:
    return write_pack(data, target, sample_rate=RATE, rms=0.06, perturbed_copies=1, pitch=pitch, shard=shard, keep=True)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("corpus") / "in", LENGTHS)


@pytest.fixture(scope="module")
def whole(data: Path) -> Pack:
    """All of it in one file."""
    return write(data, data / "whole.pack")


@pytest.fixture(scope="module", params=[1, 3, 10])
def parts(request: pytest.FixtureRequest, data: Path) -> Pack:
    """The same in several, some of which cut a speaker."""
    folder = data / f"packs{request.param}"
    for number in range(1, request.param + 1):
        write(data, folder / f"{number:05}-of-{request.param:05}.pack", (number, request.param))
    return read_pack(folder)


def test_all_of_it_is_that_of_one_file(whole: Pack, parts: Pack) -> None:
    assert parts.speakers == whole.speakers
    assert tuple(parts.utterances) == tuple(whole.utterances)
    assert [parts.utterances[place] for place in (0, 4, -1)] == [whole.utterances[place] for place in (0, 4, -1)]
    assert parts.utterances[2:5] == whole.utterances[2:5]
    assert parts.ends[:].tolist() == whole.ends[:].tolist()
    assert [int(parts.ends[place]) for place in (0, 3, -1)] == [int(whole.ends[place]) for place in (0, 3, -1)]
    assert parts.speaker_ranges == whole.speaker_ranges
    assert parts.seconds == whole.seconds
    assert len(parts.samples) == len(whole.samples)
    for some, all_ in ((parts.samples, whole.samples), (parts.perturbed[0], whole.perturbed[0])):
        assert np.array_equal(some[:], all_[:])
        for start, stop in pairwise(sorted(np.random.default_rng(0).integers(0, len(all_), 40).tolist())):
            assert np.array_equal(some[start:stop], all_[start:stop])
        places = np.random.default_rng(1).integers(0, len(all_), (7, 30))
        assert np.array_equal(some[places], all_[places])
        assert some[17] == all_[17]
        assert some[-1] == all_[-1]
        with pytest.raises(IndexError):
            some[len(all_)]


def test_batches_are_those_of_one_file(whole: Pack, parts: Pack) -> None:
    settings = {"speaker_balance": 0.5, "perturb_probability": 0.5, "loudness": 3.0, "seed": 0}
    of = [Segments(pack, batch=4, segment=2048, crops=2, **settings) for pack in (whole, parts)]
    for step in range(20):
        one, other = (segments(step) for segments in of)
        for name in ("inputs", "targets", "speaker"):
            assert np.array_equal(getattr(one, name), getattr(other, name)), name
    one, other = (held_out(pack, segment=1024, count=7, speakers=("bob", "dan", "ann")) for pack in (whole, parts))
    assert np.array_equal(one.targets, other.targets)
    assert one.speaker.tolist() == other.speaker.tolist() == [2, 0, 1, 2, 0, 1, 2]


def test_nothing_per_utterance_is_read_to_begin(parts: Pack, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError

    folders = [path for path in data.glob("packs*") if path.is_dir()]
    assert folders
    for method in ("__iter__", "__getitem__"):
        monkeypatch.setattr(Ids, method, refuse)
    monkeypatch.setattr(PackFile, "ends", refuse)
    for folder in folders:
        settings = {"speaker_balance": 0.5, "perturb_probability": 0.5, "loudness": 3.0, "seed": 0}
        batch = Segments(read_pack(folder), batch=4, segment=2048, crops=2, **settings)(0)
        assert batch.targets.abs().max() > 0.01


def test_a_speaker_of_several_packs_of_any_name(tmp_path: Path) -> None:
    for name, lengths in (("b", {"bob": [1100], "cyd": [900]}), ("a", {"ann": [1000], "bob": [1200]})):
        write(write_data(tmp_path / name, lengths), tmp_path / "packs" / f"{name}.pack")
    pack = read_pack(tmp_path / "packs")
    assert pack.speakers == ("ann", "bob", "cyd")
    assert pack.speaker_ends.tolist() == [1000, 3300, 4200]
    assert pack.ends[:].tolist() == [1000, 2200, 3300, 4200]
    first, second = (read_pack(tmp_path / "packs" / f"{name}.pack") for name in "ab")
    bob = np.concatenate([first.samples[1000:], second.samples[:1100]])
    assert np.array_equal(pack.samples[1000:3300], bob)


def test_pitch_is_that_of_one_file_but_for_half_a_hop(tmp_path: Path) -> None:
    folder, utterances = tmp_path / "in", []
    folder.mkdir()
    for number, length in enumerate((6037, 8003, 7777)):
        glide = np.cumsum(np.linspace(100 + 40 * number, 200, length)) * 2 * np.pi / RATE
        sound = sum(np.sin(k * glide) for k in (1, 2, 3))
        audio.write(folder / f"{number}.wav", (0.1 * sound).astype(np.float32), RATE)
        utterances.append(Utterance(id=f"ann-{number}", speaker="ann", recording=str(folder / f"{number}.wav")))
    DataDir(utterances).write(folder)
    whole = write(folder, tmp_path / "x.pack", pitch=True)
    for number in (1, 2, 3):
        write(folder, tmp_path / "packs" / f"{number}-of-3.pack", (number, 3), pitch=True)
    parts = read_pack(tmp_path / "packs")
    centres = np.arange(0, len(whole.samples), 7)
    near = parts.f0(centres)
    assert (near > 0).mean() > 0.8
    shifted = [whole.f0(np.clip(centres + shift, 0, len(whole.samples) - 1)) for shift in (-PITCH_HOP, 0, PITCH_HOP)]
    low, high = np.min(shifted, 0), np.max(shifted, 0)
    assert ((near >= low) & (near <= high)).mean() > 0.99
    tracks = [PitchTrack(pack, 40).statistics(0) for pack in (whole, parts)]
    assert abs(tracks[0].mean - tracks[1].mean) < 0.01
    assert abs(tracks[0].deviation - tracks[1].deviation) < 0.01


def test_f0_of_very_much_speech_is_that_of_spans_spread_over_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech, "MOST_VALUES", 50)
    monkeypatch.setattr(speech, "SPANS", 5)
    total = 500 * PITCH_HOP
    samples = np.zeros(total, np.int16)
    pack = Pack(
        samples=samples,
        perturbed=samples[None][:0],
        ends=np.array([total]),
        speaker_ends=np.array([400 * PITCH_HOP, 440 * PITCH_HOP, total]),
        sample_rate=RATE,
        rms=0.06,
        speakers=("a", "b", "c"),
        utterances=("a-1",),
        pitch=np.arange(500, dtype=np.int16),
    )
    assert (10 * pack.speaker_f0(1)).round().tolist() == list(range(400, 440))
    found = (10 * pack.speaker_f0(0)).round().astype(int)
    assert found[:10].tolist() == list(range(10))
    assert found[-10:].tolist() == list(range(390, 400))
    assert len(np.unique(found)) == 50


def test_the_command_packs_shards_keeps_them_and_makes_those_of_other_recordings_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_data(tmp_path / "in", {"ann": [3000, 2500], "bob": [4000, 2000]})
    packs = tmp_path / "packs"
    words = ["pack", str(data), str(packs), "--jobs", "1", "--sample-rate", str(RATE), "--shards", "2"]
    assert main([*words, "--shard", "2"]) == 0
    with pytest.raises(InputError, match="shard 1 of 2 is not there"):
        read_pack(packs)
    assert main(words) == 0
    assert "00002-of-00002.pack: 2 utterances of 1 speaker" in capsys.readouterr().out
    before = {path.name: path.stat().st_mtime_ns for path in packs.iterdir()}
    assert sorted(before) == ["00001-of-00002.pack", "00002-of-00002.pack"]
    assert main(words) == 0
    assert {path.name: path.stat().st_mtime_ns for path in packs.iterdir()} == before
    audio.write(tmp_path / "in" / "bob-1.wav", voice(2222, 9), RATE)
    assert main(words) == 0
    assert read_pack(packs).speaker_ends.tolist() == [5500, 11722]
    after = {path.name: path.stat().st_mtime_ns for path in packs.iterdir()}
    assert after["00001-of-00002.pack"] == before["00001-of-00002.pack"]
    assert main([*words[:-1], "9"]) == 2
    assert "cannot be cut into 9 shards" in capsys.readouterr().err
    assert main([*words[:2], str(packs / "00001-of-00002.pack"), *words[3:]]) == 2


def test_packs_of_other_options_do_not_belong_together(data: Path, tmp_path: Path) -> None:
    write(data, tmp_path / "1.pack")
    write_pack(data, tmp_path / "2.pack", sample_rate=RATE, rms=0.06)
    with pytest.raises(InputError, match=r"2\.pack.*not packed with the options of 1\.pack"):
        read_pack(tmp_path)
    write_pack(data, tmp_path / "2.pack", sample_rate=RATE, rms=0.07, perturbed_copies=1)
    with pytest.raises(InputError, match=r"2\.pack.*another rms than 1\.pack has"):
        read_pack(tmp_path)


def test_a_folder_is_what_training_takes(data: Path, tmp_path: Path, parts: Pack) -> None:
    folder = next(path for path in data.glob("packs*") if len(list(path.glob("*.pack"))) > 0)
    preset = make_preset()
    pack = cached_pack(folder, tmp_path / "unused", preset.model.audio)
    assert len(pack.samples) == len(parts.samples)
    assert not (tmp_path / "unused").exists()


def test_damaged_ends_are_found_when_they_are_needed(data: Path, tmp_path: Path) -> None:
    write(data, tmp_path / "1.pack")
    content = (tmp_path / "1.pack").read_bytes()
    ends = read_pack(tmp_path / "1.pack").ends[:]
    wrong = ends.copy()
    wrong[1] = wrong[0]
    assert content.count(ends.tobytes()) == 1
    (tmp_path / "1.pack").write_bytes(content.replace(ends.tobytes(), wrong.tobytes()))
    pack = read_pack(tmp_path)
    with pytest.raises(InputError, match=r"1\.pack.*the ends of utterances make no sense"):
        pack.ends[:]
    with pytest.raises(InputError, match="the ends of utterances make no sense"):
        read_pack(tmp_path / "1.pack")


def test_a_data_directory_that_is_as_it_was_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, cache = write_data(tmp_path / "in"), tmp_path / "exp" / "train.pack"
    preset = make_preset()
    cached_pack(data, cache, preset.model.audio)
    read = DataDir.read
    reads: list[object] = []
    monkeypatch.setattr(DataDir, "read", lambda path: reads.append(path) or read(path))
    cached_pack(data, cache, preset.model.audio)
    assert not reads
    # Written anew, the same: read, and found to be the same.
    read(data).write(data)
    cached_pack(data, cache, preset.model.audio)
    assert reads
    reads.clear()
    cached_pack(data, cache, preset.model.audio)
    assert not reads
    # Of two recordings one is another: its size says so, though no table of the data directory changed.
    audio.write(tmp_path / "in" / "bob-1.wav", voice(2222, 9), RATE)
    with pytest.raises(InputError, match="packed from other recordings"):
        cached_pack(data, cache, preset.model.audio)
    # What is noted of another pack says nothing of this one.
    audio.write(tmp_path / "in" / "bob-1.wav", voice(2000, 3), RATE)
    cached_pack(data, cache, preset.model.audio)
    shutil.copy(cache, tmp_path / "copy")
    (tmp_path / "copy").replace(cache)
    reads.clear()
    cached_pack(data, cache, preset.model.audio)
    assert reads
    cache.with_name("train.pack.json").write_text('{"files": 3}')
    cached_pack(data, cache, preset.model.audio)


def test_f0_of_a_pack_is_read_where_it_is_asked_for(whole: Pack) -> None:
    pitch = np.arange(-(-len(whole.samples) // PITCH_HOP)).astype(np.int16)
    pack = replace(whole, pitch=pitch)
    assert pack.f0(np.array([0, PITCH_HOP])).tolist() == [0.0, np.float32(0.1)]
