"""Where a recording comes from: a file, stdin, an open file or a command; opened as something that gives samples.

Formats are those of libsndfile: WAV, FLAC, Ogg Vorbis, Opus, MP3 and more, of any rate, sample width and number of
channels; with the extra ``media`` also m4a, webm, amr and the sound of videos (``vqspeech.audio.media``).
"""

from __future__ import annotations

import contextlib
import io
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO

from vqspeech.audio import media
from vqspeech.errors import InputError
from vqspeech.pipes import Pipe, require_allowed
from vqspeech.stderr_notes import withheld

if TYPE_CHECKING:
    import soundfile


#: In what libmpg123 prints about damage.
MP3_NOTES = ("mpg123", "Note: ", "Warning: ")
#: How files begin that libmpg123 has no part in.
_NO_MP3 = (b"fLaC", b"RIFF", b"OggS")
#: Samples per second that a recording can have; a damaged header says 1 as easily as 16000.
_RATES = (1000, 1_000_000)
#: Bytes that are taken of a stream, which may have no end.
_MOST_BYTES = 8 << 30
#: What a pipe delivers stays in memory up to this many bytes, and goes to a temporary file beyond.
_SPOOL = 64 << 20


def name_of(source: str | Path | BinaryIO) -> str:
    """What messages call a source: its path, ``stdin``, or the name that a file object has."""
    if isinstance(source, (str, Path)):
        return "stdin" if str(source) == "-" else str(source)
    name = getattr(source, "name", None)
    return name if isinstance(name, str) else "<file object>"


@contextlib.contextmanager
def opened(source: str | Path | BinaryIO) -> Iterator[soundfile.SoundFile | media.MediaFile]:
    """Open a source.

    Args:
        source: a path, ``"-"`` for stdin, a ``vqspeech.pipes.Pipe`` or a binary file object.

    Raises:
        InputError: it is missing, a folder or device, empty, no audio or of a rate that no recording has, or its
            command is not allowed or fails.
    """
    where = name_of(source)
    with contextlib.ExitStack() as stack:
        try:
            stream = stack.enter_context(_seekable(source))
            begin = stream.read(4)
            if not begin:
                raise InputError("the file is empty", where=where, hint="record it again or leave it out")
            stream.seek(0)
        except FileNotFoundError as error:
            hint = "download it first, for example with vqspeech fetch" if "://" in where else "check the path"
            raise InputError("no such file", where=where, hint=hint) from error
        except OSError as error:
            raise InputError(
                f"cannot be read: {error.strerror or error}", where=where, hint="check the path and its permissions"
            ) from error
        except ValueError as error:
            if isinstance(error, InputError):
                raise
            raise InputError(
                f"no name of a file: {error}", where=where, hint="check the path"
            ) from None  # a null byte in it
        try:
            with contextlib.nullcontext() if begin in _NO_MP3 else withheld(*MP3_NOTES):
                file = stack.enter_context(_sound_file(stream))
        except Exception as error:  # of libsndfile, and TypeErrors and more of its wrapper
            file = stack.enter_context(_media_file(stream, where, error))
        if not _RATES[0] <= file.samplerate <= _RATES[1]:
            raise InputError(
                f"a sample rate of {file.samplerate} Hz", where=where, hint="the header is damaged; copy it again"
            )
        if not isinstance(file, media.MediaFile):
            # soundfile seeks after each read of a seekable file, which fails in a FLAC stream of unknown length.
            file.seekable = lambda: False
        yield file


def _sound_file(stream: IO[bytes]) -> soundfile.SoundFile:
    """A stream at its beginning opened by libsndfile; raises what that or its wrapper raises."""
    import soundfile

    if not (isinstance(stream, io.BufferedReader) and isinstance(stream.raw, io.FileIO)):
        return soundfile.SoundFile(stream)
    # By its number: libsndfile then reads by itself, where otherwise it calls Python for each block.
    number = stream.fileno()
    place = os.lseek(number, 0, os.SEEK_CUR)  # what the stream has read ahead
    os.lseek(number, 0, os.SEEK_SET)
    try:
        return soundfile.SoundFile(number, closefd=False)
    except BaseException:
        os.lseek(number, place, os.SEEK_SET)
        raise


def _media_file(stream: IO[bytes], where: str, error: Exception) -> media.MediaFile:
    """What libsndfile has refused, opened as what phones and browsers record."""
    hint = "convert it to WAV first, for example with ffmpeg"
    problem = "not audio in a known format (WAV, FLAC, OGG, Opus, MP3, m4a, webm, …)"
    if not media.available():
        raise InputError(
            problem, where=where, hint="pip install 'vqspeech[media]' reads m4a, webm, amr and videos; or give a WAV"
        ) from error
    stream.seek(0)
    if not any(stream.read(1 << 16)):
        raise InputError(problem, where=where, hint=hint) from error
    stream.seek(0)
    try:
        return media.MediaFile(stream, where)
    except InputError as refused:
        if not refused.problem.startswith("not a media file"):
            raise
        raise InputError(problem, where=where, hint=hint) from refused


@contextlib.contextmanager
def _seekable(source: str | Path | BinaryIO) -> Iterator[IO[bytes]]:
    """The bytes of ``source`` as something libsndfile can seek in, from their beginning."""
    if isinstance(source, (str, Path)):
        if isinstance(source, Pipe):
            require_allowed(source)
            with _command_output(source) as stream:
                yield stream
        elif str(source) == "-":
            with _spooled(sys.stdin.buffer) as stream:
                yield stream
        else:
            path = Path(source)
            mode = path.stat().st_mode
            if stat.S_ISDIR(mode):
                raise InputError("is a folder, not a recording", where=path, hint="name a file in it")
            if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
                raise InputError("is a device, not a recording", where=path, hint="use - for what comes by stdin")
            with path.open("rb") as file:
                if stat.S_ISREG(mode):
                    yield file
                else:
                    with _spooled(file) as stream:
                        yield stream
    elif source.seekable():
        source.seek(0)
        yield source
    else:
        with _spooled(source) as stream:
            yield stream


@contextlib.contextmanager
def _spooled(stream: IO[bytes]) -> Iterator[IO[bytes]]:
    with tempfile.SpooledTemporaryFile(max_size=_SPOOL) as spool:
        size = 0
        while block := stream.read(1 << 20):
            size += len(block)
            if size == len(block) >= 1 << 16 and not any(block):
                raise InputError("nothing but zeros, no audio file", hint="give a recording")
            if size > _MOST_BYTES:
                raise InputError(f"more than {_MOST_BYTES >> 30} GiB", hint="give a recording that ends")
            spool.write(block)
        spool.seek(0)
        yield spool


@contextlib.contextmanager
def _command_output(pipe: Pipe) -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile() as output:
        # Into a file, not a pipe: the command can then go back and fill in the length in the header.
        done = subprocess.run(pipe.command, shell=True, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.PIPE)
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise InputError(
                f"the command failed with status {done.returncode}" + (f": {said[-1]}" if said else ""),
                where=pipe,
                hint="run it by hand",
            )
        output.seek(0)
        yield output
