"""``encode --pitch`` and ``decode --pitch``: the intonation beside the codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from vqspeech.cli.main import main

RATE = 16_000


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A glide from 100 to 200 Hz with harmonics."""
    time = np.arange(RATE) / RATE
    phase = 2 * np.pi * (100 * time + 50 * time**2)
    waveform = sum(np.sin(n * phase) / n for n in range(1, 9))
    path = tmp_path / "glide.wav"
    soundfile.write(path, 0.1 * waveform, RATE)
    return path


def encode(recording: Path, folder: Path) -> list[str]:
    words = ["encode", str(recording), "--out", str(folder / "codes.txt"), "--pitch", str(folder / "f0.txt")]
    assert main(words) == 0
    return ["decode", str(folder / "codes.txt"), "--speaker", "slt", "--out"]


def test_codes_and_pitch_decode_to_the_reconstruction(tmp_path: Path, recording: Path) -> None:
    """The packaged model: what passes through the two files is what passes through memory."""
    import vqspeech

    decode = encode(recording, tmp_path)
    assert main([*decode, str(tmp_path / "a.wav"), "--pitch", str(tmp_path / "f0.txt")]) == 0
    model = vqspeech.load()
    waveform = model.read(recording)
    codes = model.encode_waveform(waveform)
    expected = model.decode(codes, "slt", pitch=model.pitch(waveform, "slt"))
    spoken, _ = soundfile.read(tmp_path / "a.wav", dtype="float32")
    np.testing.assert_allclose(spoken, expected, atol=2 / 32768)
    assert main([*decode, str(tmp_path / "b.wav")]) == 0
    free, _ = soundfile.read(tmp_path / "b.wav", dtype="float32")
    assert np.abs(free - expected).max() > 0.01  # without it, the intonation is another


@pytest.mark.parametrize(
    ("extra", "problem"),
    [
        (["--f0-shift", "2"], "--f0-shift without --pitch"),
        (["--pitch", "other.txt"], "no F0 of utterance 'glide'"),
        (["--pitch", "none.txt"], "none.txt"),
    ],
)
def test_pitch_that_cannot_be_used_is_one_clear_line(
    tmp_path: Path, recording: Path, extra: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    decode = encode(recording, tmp_path)
    (tmp_path / "other.txt").write_text("u 100 0\n")
    (tmp_path / "other.json").write_text((tmp_path / "f0.json").read_text())
    extra = [str(tmp_path / word) if word.endswith(".txt") else word for word in extra]
    capsys.readouterr()
    assert main([*decode, str(tmp_path / "a.wav"), *extra]) == 2
    error = capsys.readouterr().err
    assert problem in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "a.wav").exists()
