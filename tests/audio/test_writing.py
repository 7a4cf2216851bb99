"""WAV and FLAC files: whole, of 16 bits, or not there."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tones import tone

from vqspeech import audio
from vqspeech.errors import InputError


@pytest.mark.parametrize("name", ["a.wav", "a.WAV", "a.flac"])
def test_16_bit_samples_come_back_bit_for_bit(tmp_path: Path, name: str) -> None:
    every = np.arange(-32768, 32768, dtype=np.int16)
    soundfile.write(tmp_path / "given.wav", every, 16000)
    audio.write(tmp_path / name, audio.read(tmp_path / "given.wav"))
    read_back, rate = soundfile.read(tmp_path / name, dtype="int16")
    assert rate == 16000
    np.testing.assert_array_equal(read_back, every)


def test_what_exceeds_full_scale_is_clipped(tmp_path: Path) -> None:
    audio.write(tmp_path / "a.wav", [2.0, -2.0, 0.0])
    np.testing.assert_allclose(audio.read(tmp_path / "a.wav"), [1.0, -1.0, 0.0], atol=1e-4)


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_a_full_disk_is_an_os_error_that_names_the_file(
    tmp_path: Path, full_disk: Callable[[], AbstractContextManager[None]], name: str
) -> None:
    noise = np.random.default_rng(0).uniform(-1, 1, 4000)
    with full_disk(), pytest.raises(OSError, match=name):
        audio.write(tmp_path / name, noise)
    assert not list(tmp_path.iterdir())


def test_another_rate_is_written_to_the_header(tmp_path: Path) -> None:
    audio.write(tmp_path / "a.flac", tone(0.1, 8000), 8000)
    assert soundfile.info(tmp_path / "a.flac").samplerate == 8000


def test_stdout_is_a_dash() -> None:
    script = "from vqspeech import audio; audio.write('-', [0.0, 0.25, -0.5])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    np.testing.assert_array_equal(audio.read(io.BytesIO(done.stdout)), np.float32([0.0, 0.25, -0.5]))


@pytest.mark.parametrize(
    ("name", "waveform", "message"),
    [
        ("a.mp3", [0.0], r"name it \.wav or \.flac"),
        ("a", [0.0], r"name it \.wav or \.flac"),
        ("a.wav", [], "no samples"),
        ("a.wav", [0.0, np.nan], "not a number"),
    ],
)
def test_what_cannot_be_written_leaves_no_file(tmp_path: Path, name: str, waveform: list[float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        audio.write(tmp_path / name, waveform)
    assert not list(tmp_path.iterdir())


def test_two_channels_are_a_mistake_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one dimension"):
        audio.write(tmp_path / "a.wav", np.zeros((2, 10)))
