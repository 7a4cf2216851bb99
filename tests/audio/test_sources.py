"""Files, stdin, commands and open files as recordings, and one line about what is none."""

from __future__ import annotations

import io
import os
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from tones import tone

from vqspeech import audio
from vqspeech.audio import sources
from vqspeech.errors import InputError
from vqspeech.pipes import Pipe, allowed
from vqspeech.stderr_notes import withheld


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
    monkeypatch.setattr(sources, "_MOST_BYTES", 3 << 20)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"RIFF" * (1 << 20))))
    with pytest.raises(InputError, match="GiB"):
        audio.read("-")


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


@settings(deadline=None)
@given(content=st.binary(max_size=300))
def test_no_bytes_give_a_traceback(content: bytes) -> None:
    for head in (b"", b"RIFF\xff\xff\xff\xffWAVEfmt ", b"fLaC", b"OggS"):
        try:
            waveform = audio.read(io.BytesIO(head + content))
        except InputError:
            continue
        assert len(waveform)


def test_what_others_write_to_stderr_meanwhile_is_not_lost(capfd: pytest.CaptureFixture[str]) -> None:
    with withheld("mpg123") as notes:
        os.write(2, b"[src/libmpg123/x.c] error: y\nsomething else\n")
    assert notes == ["[src/libmpg123/x.c] error: y"]
    assert capfd.readouterr().err == "something else\n"
