"""Any format, rate and part of a recording to a mono waveform."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tones import similarity, tone

from vqspeech import audio
from vqspeech.audio import reading
from vqspeech.errors import InputError


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [8000, 16000, 48000])
@pytest.mark.parametrize(
    ("suffix", "file_format", "subtype"),
    [
        ("wav", "WAV", "PCM_16"),
        ("flac", "FLAC", "PCM_16"),
        ("ogg", "OGG", "VORBIS"),
        ("opus", "OGG", "OPUS"),
        ("mp3", "MP3", "MPEG_LAYER_III"),
    ],
)
def test_every_format_rate_and_channel_count_is_read_as_16_khz_mono(
    tmp_path: Path, suffix: str, file_format: str, subtype: str, rate: int, channels: int
) -> None:
    path = tmp_path / f"a.{suffix}"
    samples = np.repeat(tone(1.0, rate)[:, None], channels, axis=1)
    soundfile.write(path, samples, rate, format=file_format, subtype=subtype)
    waveform = audio.read(path)
    assert waveform.dtype == np.float32
    assert waveform.shape == (16000,)
    assert similarity(waveform, tone(1.0, 16000)) > 0.99
    assert audio.duration(path) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("subtype", "precision"),
    [("PCM_U8", 0.01), ("PCM_16", 1e-4), ("PCM_24", 1e-6), ("PCM_32", 1e-6), ("FLOAT", 1e-7), ("DOUBLE", 1e-7)],
)
def test_every_sample_width_is_read_in_full_scale_1(tmp_path: Path, subtype: str, precision: float) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(0.1, 16000, level=0.9), 16000, subtype=subtype)
    np.testing.assert_allclose(audio.read(path), tone(0.1, 16000, level=0.9), atol=precision)


def test_channels_are_averaged(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.stack([tone(0.1, 16000), np.zeros(1600), np.zeros(1600)], axis=1), 16000)
    np.testing.assert_allclose(audio.read(path), tone(0.1, 16000) / 3, atol=1e-4)


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has another unit")
def test_an_hour_costs_memory_for_its_result_only(tmp_path: Path) -> None:
    path = tmp_path / "hour.flac"
    with soundfile.SoundFile(path, "w", 8000, 2) as file:
        for _ in range(60):
            file.write(np.zeros((60 * 8000, 2), np.int16))
    script = (
        "import resource, sys; from vqspeech import audio; import numpy, soundfile, soxr;"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        "waveform = audio.read(sys.argv[1], rate=4000);"
        "print(len(waveform), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)
    samples, kilobytes = map(int, done.stdout.split())
    assert samples == 3600 * 4000
    # The result is 58 MB, and twice that while its pieces are joined; all of the input as floats would be 230 MB.
    assert kilobytes < 160_000


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_start_and_end_are_seconds_of_the_recording(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, np.random.default_rng(0).normal(scale=0.1, size=32000), 16000)
    whole = audio.read(path)
    np.testing.assert_allclose(audio.read(path, start=0.5, end=1.25), whole[8000:20000], atol=1e-6)
    np.testing.assert_allclose(audio.read(path, start=1.5), whole[24000:], atol=1e-6)
    np.testing.assert_allclose(audio.read(path, end=0.25), whole[:4000], atol=1e-6)


def test_an_end_a_little_past_the_recording_means_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    audio.write(path, tone(1.0, 16000))
    assert len(audio.read(path, start=0.5, end=1.4)) == 8000


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (2.0, 3.0, "lasts 1.000 s, asked for 2 s to 3 s"),
        (0.0, 1.6, "lasts 1.000 s, asked for 0 s to 1.6 s"),
        (1.0, None, "lasts 1.000 s, asked for 1 s to the end"),
        (-0.1, 0.5, "cannot start at -0.1 s"),
        (0.5, 0.5, "ends at 0.5 s, not after its start"),
        (float("nan"), None, "cannot start at nan s"),
    ],
)
def test_a_part_outside_the_recording_is_refused(tmp_path: Path, start: float, end: float | None, message: str) -> None:
    path = tmp_path / "a.wav"
    audio.write(path, tone(1.0, 16000))
    with pytest.raises(InputError, match=message) as caught:
        audio.read(path, start=start, end=end)
    assert caught.value.where == str(path)


def test_what_is_too_long_for_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LONGEST", 3600)
    path = tmp_path / "a.flac"
    soundfile.write(path, np.zeros(3601 * 8000, np.int16), 8000)
    with pytest.raises(InputError, match="longer than 1 hours"):
        audio.read(path)
    assert len(audio.read(path, start=1.0)) == 3600 * 16000


def flac_of_unknown_length(path: Path) -> Path:
    """A FLAC file as an encoder writes it to a pipe: the header's number of samples (36 bits) is 0."""
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    unknown = path.with_name("unknown.flac")
    unknown.write_bytes(content)
    return unknown


def test_a_stream_without_a_length_in_its_header_is_read_to_its_end(tmp_path: Path) -> None:
    audio.write(tmp_path / "a.flac", np.random.default_rng(0).normal(scale=0.1, size=200_000))
    whole, path = audio.read(tmp_path / "a.flac"), flac_of_unknown_length(tmp_path / "a.flac")
    np.testing.assert_array_equal(audio.read(path), whole)
    np.testing.assert_array_equal(audio.read(path, start=10.0, end=11.0), whole[160_000:176_000])
    assert audio.duration(path) == 12.5
    with pytest.raises(InputError, match="no samples after 13 s"):
        audio.read(path, start=13.0)


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 96000])
def test_one_sample_gives_at_least_one_sample(tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "a.wav", np.array([0.5]), rate)
    waveform = audio.read(tmp_path / "a.wav")
    assert 1 <= len(waveform) <= 2
    assert np.isfinite(waveform).all()


def test_silence_is_zeros(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(48000), 48000)
    np.testing.assert_array_equal(audio.read(tmp_path / "a.wav"), np.zeros(16000))


def test_a_clipped_recording_comes_back_as_it_is(tmp_path: Path) -> None:
    clipped = np.clip(tone(0.1, 16000, level=5.0), -1, 1)
    soundfile.write(tmp_path / "a.wav", clipped, 16000, subtype="FLOAT")
    np.testing.assert_array_equal(audio.read(tmp_path / "a.wav"), clipped)


@pytest.mark.parametrize(
    ("value", "kind"), [(np.nan, "not a number"), (np.inf, "infinite"), (-np.inf, "infinite"), (1e30, r"5e\+29")]
)
def test_the_first_sample_that_is_no_number_is_named(tmp_path: Path, value: float, kind: str) -> None:
    samples = np.zeros((80_000, 2), np.float32)
    samples[72_000, 1] = value
    soundfile.write(tmp_path / "a.wav", samples, 16000, subtype="FLOAT")
    with pytest.raises(InputError, match=rf"the sample at 4\.5000 s is {kind}") as caught:
        audio.read(tmp_path / "a.wav", start=1.0)
    assert caught.value.where == str(tmp_path / "a.wav")
    assert len(audio.read(tmp_path / "a.wav", end=4.0)) == 64_000


def test_a_damaged_file_says_how_far_it_is_sound(tmp_path: Path) -> None:
    audio.write(tmp_path / "a.flac", np.random.default_rng(0).normal(scale=0.1, size=320_000))
    content = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "cut.flac").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"damaged after \d+\.\d\d s"):
        audio.read(tmp_path / "cut.flac")


def test_notes_of_the_mp3_decoder_are_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.mp3"
    sweep = 0.3 * np.sin(2 * np.pi * np.cumsum(np.linspace(200, 4000, 64_000)) / 16_000)
    soundfile.write(path, sweep, 16_000)
    damaged = bytearray(path.read_bytes())
    for place in range(2000, len(damaged) - 10, 97):
        damaged[place] ^= 0x5A
    path.write_bytes(damaged)
    assert len(audio.read(path)) > 0
    assert capfd.readouterr().err == ""
    assert [record.message for record in caplog.records] == [
        f"{path}: damaged MP3; what can be decoded is used (copy it again from its source)"
    ]


@pytest.mark.parametrize("form", ["WAV", "WAVEX", "RF64", "W64", "AIFF", "AU"])
def test_a_file_that_is_cut_short_is_read_with_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, form: str
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    soundfile.write(whole, np.full(32_000, 0.1), 16_000, format=form, subtype="PCM_16")
    content = whole.read_bytes()
    cut.write_bytes(content[:-32_000])  # 1 s
    assert len(audio.read(whole)) == 32_000
    assert len(audio.read(cut, end=0.5)) == 8000
    assert not caplog.records
    assert len(audio.read(cut)) == 16_000
    assert [record.message for record in caplog.records] == [
        f"{cut}: cut short, the last 1.00 s are missing; what is there is used (copy it again from its source)"
    ]


@pytest.mark.parametrize("promised", [0xFFFF_FFFF, 0x7FFF_FFFF, 0x7FFF_F024, 32_036])
def test_a_header_that_does_not_know_or_miscounts_the_length_is_no_damage(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, promised: int
) -> None:
    soundfile.write(tmp_path / "a.wav", np.full(16_000, 0.1), 16_000)
    content = bytearray((tmp_path / "a.wav").read_bytes())
    content[40:44] = promised.to_bytes(4, "little")
    (tmp_path / "a.wav").write_bytes(content)
    assert len(audio.read(tmp_path / "a.wav")) == 16_000
    assert not caplog.records
