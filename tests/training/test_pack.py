"""``vqspeech.training.pack``: speech comes back to a rounding, packing goes on where it stopped, faults are named."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
from small_training import RATE, write_data

from vqspeech import audio
from vqspeech.datadir import DataDir, Utterance
from vqspeech.errors import InputError
from vqspeech.training.pack import PITCH_HOP, Pack, read_pack, write_pack
from vqspeech.training.pack import writing as packing
from vqspeech.training.pack.reading import Job, Loaded, Loader


def write(data: Path, target: Path, *, perturbed_copies: int = 0, seed: int = 0, jobs: int = 1) -> Pack:
    return write_pack(data, target, sample_rate=RATE, rms=0.06, perturbed_copies=perturbed_copies, seed=seed, jobs=jobs)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_data(tmp_path / "corpus")


def test_speech_comes_back_at_the_working_level_to_a_rounding(data: Path, tmp_path: Path) -> None:
    pack = write(data, tmp_path / "x.pack")
    assert pack.speakers == ("ann", "bob", "cyd")
    assert tuple(pack.utterances) == ("ann-0", "ann-1", "bob-0", "bob-1", "cyd-0")
    assert (pack.sample_rate, pack.rms) == (RATE, 0.06)
    assert pack.ends.tolist() == [3000, 5500, 9500, 11500, 13000]
    assert [pack.speaker_range(index) for index in range(3)] == [(0, 5500), (5500, 11500), (11500, 13000)]
    assert pack.seconds == 13000 / RATE
    assert pack.perturbed.shape == (0, 13000)
    start = 0
    for utterance, end in zip(DataDir.read(data), pack.ends, strict=True):
        expected = audio.normalise_level(audio.read(utterance.recording, rate=RATE), RATE, 0.06)
        np.testing.assert_allclose(pack.samples[start:end] / 32767, expected, atol=0.5 / 32767 + 1e-7)
        start = end


def test_utterances_of_a_speaker_lie_together_whatever_their_order(tmp_path: Path) -> None:
    data = write_data(tmp_path / "corpus", {"a": [900], "a-b": [1000], "b": [1100]})
    pack = write(data, tmp_path / "x.pack")
    for index, samples in enumerate((900, 1000, 1100)):
        start, end = pack.speaker_range(index)
        assert end - start == samples


def test_a_pack_is_memory_mapped_and_can_be_read_again(data: Path, tmp_path: Path) -> None:
    written, read = write(data, tmp_path / "x.pack"), read_pack(tmp_path / "x.pack")
    assert isinstance(read.samples, np.memmap)
    assert not read.samples.flags.writeable
    assert np.array_equal(read.samples, written.samples)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["corpus", "x.pack"]


def test_a_pack_is_a_safetensors_file(data: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    pack = write(data, tmp_path / "x.pack", perturbed_copies=1)
    tensors = load_file(tmp_path / "x.pack")
    for name in ("samples", "perturbed", "ends", "speaker_ends"):
        assert np.array_equal(tensors[name], getattr(pack, name))


def test_perturbed_copies_keep_the_timing_and_depend_on_the_seed_alone(data: Path, tmp_path: Path) -> None:
    pack = write(data, tmp_path / "x.pack", perturbed_copies=2)
    assert pack.perturbed.shape == (2, len(pack.samples))
    for copy in pack.perturbed:
        difference = copy.astype(float) - pack.samples
        assert np.abs(difference).mean() > 0.1 * np.abs(pack.samples.astype(float)).mean()
        assert 0.04 < audio.active_rms(copy[:3000] / 32767, RATE) < 0.08
    assert not np.array_equal(pack.perturbed[0], pack.perturbed[1])
    write(data, tmp_path / "same.pack", perturbed_copies=2)
    assert (tmp_path / "same.pack").read_bytes() == (tmp_path / "x.pack").read_bytes()
    write(data, tmp_path / "other.pack", perturbed_copies=2, seed=1)
    assert (tmp_path / "other.pack").read_bytes() != (tmp_path / "x.pack").read_bytes()


def test_several_processes_pack_the_same(data: Path, tmp_path: Path) -> None:
    write(data, tmp_path / "one.pack")
    write(data, tmp_path / "two.pack", jobs=2)
    assert (tmp_path / "one.pack").read_bytes() == (tmp_path / "two.pack").read_bytes()


def interrupt_after(done: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let packing be interrupted after some utterances; gives the list of those loaded."""
    loaded: list[str] = []
    load = Loader._load

    def until_then(loader: Loader, job: Job) -> Loaded:
        if len(loaded) == done:
            raise KeyboardInterrupt
        loaded.append(job.id)
        return load(loader, job)

    monkeypatch.setattr(Loader, "_load", until_then)
    return loaded


@pytest.mark.parametrize("done", [0, 1, 3, 5])
@pytest.mark.parametrize("half", ["nothing", "a line", "samples", "a number"])
def test_interrupted_packing_goes_on_to_the_same_bytes(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, done: int, half: str
) -> None:
    write(data, tmp_path / "whole.pack", perturbed_copies=1)
    with monkeypatch.context() as context:
        interrupt_after(done, context)
        if done == 5:
            context.setattr(packing, "_assemble", lambda *_arguments: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            write(data, tmp_path / "x.pack", perturbed_copies=1)
    assert not (tmp_path / "x.pack").exists()
    partial = tmp_path / "x.pack.partial"
    # What kill -9 in the middle of a write leaves behind.
    if half == "a line":
        with (partial / "row0").open("ab") as row:
            row.write(bytes(777))
    elif half == "samples":
        for name in ("row0", "row1"):
            with (partial / name).open("ab") as row:
                row.write(bytes(4000))
    elif half == "a number":
        with (partial / "lengths").open("a") as journal:
            journal.write("20")
    with monkeypatch.context() as context:
        loaded = interrupt_after(-1, context)
        write(data, tmp_path / "x.pack", perturbed_copies=1)
    assert len(loaded) == 5 - done
    assert (tmp_path / "x.pack").read_bytes() == (tmp_path / "whole.pack").read_bytes()
    assert not partial.exists()


def test_what_was_begun_with_other_arguments_is_begun_again(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as context:
        interrupt_after(3, context)
        with pytest.raises(KeyboardInterrupt):
            write_pack(data, tmp_path / "x.pack", sample_rate=RATE, rms=0.1)
    loaded = interrupt_after(-1, monkeypatch)
    write(data, tmp_path / "x.pack")
    assert len(loaded) == 5


def test_what_was_begun_with_other_recordings_is_begun_again(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as context:
        interrupt_after(3, context)
        with pytest.raises(KeyboardInterrupt):
            write(data, tmp_path / "x.pack")
    os.utime(next(iter(DataDir.read(data))).recording, (1, 1))
    loaded = interrupt_after(-1, monkeypatch)
    write(data, tmp_path / "x.pack")
    assert len(loaded) == 5


def test_a_full_disk_is_an_os_error_that_names_a_file_and_packing_goes_on_later(
    data: Path, tmp_path: Path, full_disk: Callable[[], AbstractContextManager[None]]
) -> None:
    write(data, tmp_path / "whole.pack")
    with full_disk(), pytest.raises(OSError, match=r"x\.pack\.partial"):
        write(data, tmp_path / "x.pack")
    write(data, tmp_path / "x.pack")
    assert (tmp_path / "x.pack").read_bytes() == (tmp_path / "whole.pack").read_bytes()


def issue(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        read_pack(path)
    assert caught.value.where == str(path)
    assert "vqspeech pack" in str(caught.value.hint)
    return caught.value


@pytest.mark.parametrize("kept", [0, 3, 8, 100, -1000, -1])
def test_a_truncated_pack_is_named(data: Path, tmp_path: Path, kept: int) -> None:
    write(data, tmp_path / "x.pack", perturbed_copies=1)
    content = (tmp_path / "x.pack").read_bytes()
    (tmp_path / "x.pack").write_bytes(content[:kept])
    issue(tmp_path / "x.pack")


@pytest.mark.parametrize(
    "content",
    [
        b"RIFF" + bytes(100),
        b"some text that is not a pack",
        (4).to_bytes(8, "little") + b"1234",
        (2).to_bytes(8, "little") + b"[]",
        (2).to_bytes(8, "little") + b"{}",
        (35).to_bytes(8, "little") + b'{"__metadata__": {"format": "pt"}}  ',
    ],
)
def test_a_file_of_something_else_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.pack").write_bytes(content)
    issue(tmp_path / "x.pack")


def test_an_unreadable_recording_is_named(data: Path, tmp_path: Path) -> None:
    (tmp_path / "corpus" / "bob-0.wav").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"bob-0\.wav"):
        write(data, tmp_path / "x.pack")


def test_training_from_a_pack_needs_no_audio_library(data: Path, tmp_path: Path) -> None:
    write(data, tmp_path / "x.pack")
    script = """
import sys
for name in ("soundfile", "librosa", "parselmouth", "soxr"):
    sys.modules[name] = None
import vqspeech.cli.train, vqspeech.training.trainer
from pathlib import Path
from vqspeech.training.pack_cache import cached_pack
from vqspeech.training.config import read_preset
preset = read_preset("small", ["model.audio.sample_rate=8000", "training.perturb_probability=0"])
print(cached_pack(Path(sys.argv[1]), Path("unused"), preset.model.audio).samples.sum())
"""
    command = [sys.executable, "-c", script, str(tmp_path / "x.pack")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) == read_pack(tmp_path / "x.pack").samples.sum()


def test_a_partial_folder_without_its_order_is_begun_again(data: Path, tmp_path: Path) -> None:
    (tmp_path / "x.pack.partial").mkdir()
    (tmp_path / "x.pack.partial" / "lengths").write_text("99999\n")
    write(data, tmp_path / "x.pack")
    write(data, tmp_path / "y.pack")
    assert (tmp_path / "x.pack").read_bytes() == (tmp_path / "y.pack").read_bytes()
    shutil.rmtree(tmp_path / "corpus")
    assert len(read_pack(tmp_path / "x.pack").samples) == 13000


def test_pitch_lies_on_one_grid_and_each_value_is_of_its_own_utterance(tmp_path: Path) -> None:
    lengths, hertz = [4037, 2500, 6013], [100.0, 200.0, 300.0]
    folder = tmp_path / "corpus"
    folder.mkdir()
    utterances = []
    for index, (length, f0) in enumerate(zip(lengths, hertz, strict=True)):
        phase = 2 * np.pi * f0 * np.arange(length) / RATE
        audio.write(folder / f"{index}.wav", (0.1 * sum(np.sin(k * phase) for k in (1, 2, 3))).astype(np.float32), RATE)
        utterances.append(Utterance(id=f"ann-{index}", speaker="ann", recording=str(folder / f"{index}.wav")))
    DataDir(utterances).write(folder / "data")
    pack = write_pack(folder / "data", tmp_path / "x.pack", sample_rate=RATE, rms=0.06, pitch=True)
    assert len(pack.pitch) == -(-sum(lengths) // PITCH_HOP)
    for (start, length), f0 in zip(zip(np.cumsum([0, *lengths]), lengths, strict=False), hertz, strict=True):
        inside = pack.f0(np.arange(start + 800, start + length - 800))
        np.testing.assert_allclose(inside, f0, rtol=0.01)


def test_a_pack_is_made_without_pitch_unless_asked(data: Path, tmp_path: Path) -> None:
    assert not len(write(data, tmp_path / "x.pack").pitch)


def test_a_pack_of_an_earlier_version_is_read(data: Path, tmp_path: Path) -> None:
    pack = write(data, tmp_path / "x.pack", perturbed_copies=1)
    content = (tmp_path / "x.pack").read_bytes()
    assert content.count(b'"perturbed"') == 1
    (tmp_path / "earlier.pack").write_bytes(content.replace(b'"perturbed"', b'"disguises"'))
    assert np.array_equal(read_pack(tmp_path / "earlier.pack").perturbed, pack.perturbed)
