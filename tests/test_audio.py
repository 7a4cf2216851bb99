"""What ``vqspeech.audio`` promises: any recording in, a mono waveform out, and a plain word about what is not one."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from vqspeech import audio
from vqspeech.errors import InputError
from vqspeech.pipes import Pipe, allowed
from vqspeech.stderr_notes import withheld


def tone(seconds: float, rate: int, *, hertz: float = 440.0, level: float = 0.3) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def similarity(a: np.ndarray, b: np.ndarray) -> float:
    length = min(len(a), len(b))
    a, b = a[:length].astype(float), b[:length].astype(float)
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


@pytest.fixture
def speech_like() -> np.ndarray:
    """0.5 s of silence, 1 s of noise at RMS 0.1, 0.5 s of silence, at 16 kHz."""
    noise = np.random.default_rng(0).normal(scale=0.1, size=16000).astype(np.float32)
    return np.concatenate([np.zeros(8000, np.float32), noise, np.zeros(8000, np.float32)])


# Formats ------------------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("rate", [11025, 22050, 44100, 96000])
def test_other_rates_keep_length_and_content(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(0.5, rate), rate)
    waveform = audio.read(path)
    assert len(waveform) == pytest.approx(8000, abs=1)
    assert similarity(waveform, tone(0.5, 16000)) > 0.999


def test_channels_are_averaged(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.stack([tone(0.1, 16000), np.zeros(1600), np.zeros(1600)], axis=1), 16000)
    np.testing.assert_allclose(audio.read(path), tone(0.1, 16000) / 3, atol=1e-4)


def test_frequencies_that_16_khz_cannot_hold_are_removed_not_folded(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(0.5, 48000, hertz=10_000), 48000)
    assert np.abs(audio.read(path)[400:-400]).max() < 1e-3


def test_another_rate_can_be_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(0.5, 16000), 16000)
    assert len(audio.read(path, rate=24000)) == 12000


def test_reading_in_blocks_leaves_no_seam(tmp_path: Path) -> None:
    import soxr

    samples = np.random.default_rng(0).normal(scale=0.1, size=3 * audio._BLOCK + 17).astype(np.float32)
    path = tmp_path / "a.wav"
    soundfile.write(path, samples, 44100, subtype="FLOAT")
    np.testing.assert_allclose(audio.read(path), soxr.resample(samples, 44100, 16000), atol=1e-6)


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


# A part of a recording ----------------------------------------------------------------------------------------------


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


# Where a recording comes from ---------------------------------------------------------------------------------------


def test_a_kaldi_pipe_is_run_by_the_shell(tmp_path: Path) -> None:
    audio.write(tmp_path / "a b.wav", tone(1.0, 16000))
    pipe = Pipe(f"cat '{tmp_path}/a b.wav' | cat |")
    with allowed():
        np.testing.assert_array_equal(audio.read(pipe), audio.read(tmp_path / "a b.wav"))
        assert len(audio.read(pipe, start=0.25, end=0.5)) == 4000
        assert audio.duration(pipe) == 1.0


def test_a_pipe_runs_only_where_it_is_allowed(tmp_path: Path) -> None:
    pipe = Pipe(f"touch '{tmp_path}/ran' |")
    with pytest.raises(InputError, match="--allow-pipes") as caught:
        audio.read(pipe)
    assert caught.value.where == pipe
    with allowed(False), pytest.raises(InputError, match="--allow-pipes"):
        audio.read(pipe)
    assert not (tmp_path / "ran").exists()


def test_a_file_whose_name_ends_like_a_pipe_is_a_file(tmp_path: Path) -> None:
    audio.write(tmp_path / "a.wav", tone(0.5, 16000))
    odd = (tmp_path / "a.wav").rename(tmp_path / "touch ran |")
    assert len(audio.read(odd)) == len(audio.read(str(odd))) == 8000


@pytest.mark.parametrize("rate", [1, 999, 2_000_000])
def test_a_rate_that_no_recording_has_is_refused(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(4800), 16000, "PCM_16")
    content = bytearray(path.read_bytes())
    content[24:28] = rate.to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"{rate} Hz"):
        audio.read(path)


def test_what_never_ends_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="a device"):
        audio.read("/dev/zero")
    with Path("/dev/zero").open("rb", buffering=0) as endless:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=endless))
        with pytest.raises(InputError, match="zeros"):
            audio.read("-")
    monkeypatch.setattr(audio, "_MOST_BYTES", 3 << 20)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"RIFF" * (1 << 20))))
    with pytest.raises(InputError, match="GiB"):
        audio.read("-")


def test_what_is_too_long_for_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "LONGEST", 3600)
    path = tmp_path / "a.flac"
    soundfile.write(path, np.zeros(3601 * 8000, np.int16), 8000)
    with pytest.raises(InputError, match="longer than 1 hours"):
        audio.read(path)
    assert len(audio.read(path, start=1.0)) == 3600 * 16000


@pytest.mark.parametrize(
    ("pipe", "message"),
    [
        ("echo not here >&2; exit 3 |", "failed with status 3: not here"),
        ("true |", "empty"),
        ("echo words |", "not audio"),
    ],
)
def test_a_pipe_that_fails_says_so(pipe: str, message: str) -> None:
    with allowed(), pytest.raises(InputError, match=message) as caught:
        audio.read(Pipe(pipe))
    assert caught.value.where == pipe


def test_stdin_is_a_dash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    audio.write(tmp_path / "a.flac", tone(0.5, 16000))
    content = (tmp_path / "a.flac").read_bytes()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    np.testing.assert_array_equal(audio.read("-"), audio.read(tmp_path / "a.flac"))


def test_a_named_pipe_is_read_like_a_file(tmp_path: Path) -> None:
    audio.write(tmp_path / "a.wav", tone(0.5, 16000))
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    writer = threading.Thread(target=lambda: fifo.write_bytes((tmp_path / "a.wav").read_bytes()))
    writer.start()
    waveform = audio.read(fifo)
    writer.join()
    np.testing.assert_array_equal(waveform, audio.read(tmp_path / "a.wav"))


def test_a_file_object_is_read_from_its_beginning(tmp_path: Path) -> None:
    audio.write(tmp_path / "a.wav", tone(0.5, 16000))
    with (tmp_path / "a.wav").open("rb") as file:
        first = audio.read(file)
        np.testing.assert_array_equal(audio.read(file), first)
        assert audio.duration(file) == 0.5


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


# What is hardly a recording -----------------------------------------------------------------------------------------


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


@pytest.mark.parametrize(("value", "kind"), [(np.nan, "not a number"), (np.inf, "infinite"), (-np.inf, "infinite")])
def test_the_first_sample_that_is_no_number_is_named(tmp_path: Path, value: float, kind: str) -> None:
    samples = np.zeros((80_000, 2), np.float32)
    samples[72_000, 1] = value
    soundfile.write(tmp_path / "a.wav", samples, 16000, subtype="FLOAT")
    with pytest.raises(InputError, match=rf"the sample at 4\.5000 s is {kind}") as caught:
        audio.read(tmp_path / "a.wav", start=1.0)
    assert caught.value.where == str(tmp_path / "a.wav")
    assert len(audio.read(tmp_path / "a.wav", end=4.0)) == 64_000


def test_what_is_no_recording_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    soundfile.write(tmp_path / "header.wav", np.zeros(0), 16000)
    (tmp_path / "text.wav").write_text("words, words, words\n" * 100)
    (tmp_path / "a.raw").write_bytes(bytes(1000))
    for name, message in {
        "missing.wav": "no such file",
        "empty.wav": "the file is empty",
        "header.wav": "no samples",
        "text.wav": "not audio in a known format",
        "a.raw": "not audio in a known format",
        ".": "is a folder",
    }.items():
        with pytest.raises(InputError, match=message) as caught:
            audio.read(tmp_path / name)
        assert caught.value.where == str(tmp_path / name)
        assert "\n" not in str(caught.value)
    assert audio.duration(tmp_path / "header.wav") == 0.0


def test_a_damaged_file_says_how_far_it_is_sound(tmp_path: Path) -> None:
    audio.write(tmp_path / "a.flac", np.random.default_rng(0).normal(scale=0.1, size=320_000))
    content = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "cut.flac").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"damaged after \d+\.\d\d s"):
        audio.read(tmp_path / "cut.flac")


@settings(deadline=None)
@given(content=st.binary(max_size=300))
def test_no_bytes_give_a_traceback(content: bytes) -> None:
    for head in (b"", b"RIFF\xff\xff\xff\xffWAVEfmt ", b"fLaC", b"OggS"):
        try:
            waveform = audio.read(io.BytesIO(head + content))
        except InputError:
            continue
        assert len(waveform)


# Writing ------------------------------------------------------------------------------------------------------------


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


# Rate, level, silence -----------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(samples=st.integers(0, 3000), rate_in=st.sampled_from([8000, 16000, 22050, 44100]))
def test_resampling_gives_the_length_it_says(samples: int, rate_in: int) -> None:
    resampled = audio.resample(np.zeros(samples), rate_in, 16000)
    assert resampled.dtype == np.float32
    assert abs(len(resampled) - max(min(samples, 1), samples * 16000 / rate_in)) <= 0.5
    assert (len(resampled) == 0) == (samples == 0)


def test_level_is_measured_where_there_is_speech(speech_like: np.ndarray) -> None:
    assert audio.active_rms(speech_like, 16000) == pytest.approx(0.1, rel=0.02)
    assert audio.active_rms(speech_like + 0.2, 16000) == pytest.approx(0.1, rel=0.02)


def test_normalising_sets_the_level_of_the_speech(speech_like: np.ndarray) -> None:
    for gain in (0.01, 1.0, 10.0):
        normalised = audio.normalise_level(gain * speech_like, 16000, rms=0.06)
        assert normalised.dtype == np.float32
        assert audio.active_rms(normalised, 16000) == pytest.approx(0.06, rel=1e-3)


@pytest.mark.parametrize(
    "silent",
    [
        np.zeros(0, np.float32),
        np.zeros(1, np.float32),
        np.zeros(16000, np.float32),
        np.full(16000, 0.5, np.float32),
        np.random.default_rng(0).integers(-1, 2, 16000).astype(np.float32) / 32768,
    ],
    ids=["empty", "one sample", "zeros", "constant", "dither"],
)
def test_silence_is_neither_amplified_nor_trimmed(silent: np.ndarray) -> None:
    assert audio.active_rms(silent, 16000) == 0.0
    np.testing.assert_array_equal(audio.normalise_level(silent, 16000), silent)
    np.testing.assert_array_equal(audio.trim_silence(silent, 16000), silent)


def test_trimming_leaves_the_speech_and_a_margin(speech_like: np.ndarray) -> None:
    np.testing.assert_array_equal(audio.trim_silence(speech_like, 16000, margin=0.0), speech_like[8000:24000])
    np.testing.assert_array_equal(audio.trim_silence(speech_like, 16000, margin=0.1), speech_like[6400:25600])
    np.testing.assert_array_equal(audio.trim_silence(speech_like, 16000, margin=9.0), speech_like)


def test_a_pause_inside_is_not_trimmed(speech_like: np.ndarray) -> None:
    twice = np.concatenate([speech_like, speech_like])
    assert len(audio.trim_silence(twice, 16000, margin=0.0)) == 48000


def test_speech_and_what_is_near_it_is_masked(speech_like: np.ndarray) -> None:
    # Speech from 0.5 to 1.5 s of 2 s.
    mask = audio.speech_mask(speech_like, 16000, hop=160, margin=0.1)
    np.testing.assert_array_equal(mask, (np.arange(200) >= 40) & (np.arange(200) < 160))


@pytest.mark.parametrize("samples", [2, 100, 320, 1601])
@pytest.mark.parametrize("hop", [64, 640])
def test_the_mask_has_a_value_a_hop_even_of_what_is_shorter_than_the_margin(samples: int, hop: int) -> None:
    mask = audio.speech_mask(np.sin(np.arange(1, samples + 1)), 16000, hop=hop)
    assert mask.shape == (-(-samples // hop),)
    assert mask.all()
    assert not audio.speech_mask(np.zeros(samples), 16000, hop=hop).any()


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


def test_what_others_write_to_stderr_meanwhile_is_not_lost(capfd: pytest.CaptureFixture[str]) -> None:
    with withheld("mpg123") as notes:
        os.write(2, b"[src/libmpg123/x.c] error: y\nsomething else\n")
    assert notes == ["[src/libmpg123/x.c] error: y"]
    assert capfd.readouterr().err == "something else\n"
