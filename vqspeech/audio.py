"""Recordings in and out: any file, pipe or stdin to a 16 kHz mono waveform, and back to WAV or FLAC.

Formats are those of libsndfile: WAV, FLAC, Ogg Vorbis, Opus, MP3 and more, of any rate, sample width and number of
channels; with the extra ``media`` also m4a, webm, amr and the sound of videos (``vqspeech.media``). A recording is read
and resampled in blocks, so that an hour of it costs little more than the waveform that comes out.
"""

from __future__ import annotations

import contextlib
import io
import logging
import math
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vqspeech import media
from vqspeech.errors import InputError
from vqspeech.files import atomic_open
from vqspeech.pipes import Pipe, require_allowed
from vqspeech.stderr_notes import withheld

if TYPE_CHECKING:
    import soundfile

#: Samples per second of every waveform inside the toolkit.
SAMPLE_RATE = 16_000
#: RMS of active speech that models are trained at (full scale is 1).
SPEECH_RMS = 0.06

#: Input frames (one sample of each channel) read at a time: 1.4 s at 48 kHz.
_BLOCK = 1 << 16
#: How far a segment may reach past the end of its recording, in seconds; Kaldi's extract-segments allows as much.
_OVERSHOOT = 0.5
logger = logging.getLogger(__name__)
#: In what libmpg123 prints about damage.
_MP3_NOTES = ("mpg123", "Note: ", "Warning: ")
#: Samples per second that a recording can have; a damaged header says 1 as easily as 16000.
_RATES = (1000, 1_000_000)
#: Seconds of one recording, or of the part that is asked for, at most: a day's would not fit in memory.
LONGEST = 6 * 3600
#: Bytes that are taken of a stream, which may have no end.
_MOST_BYTES = 8 << 30
#: What a pipe delivers stays in memory up to this many bytes, and goes to a temporary file beyond.
_SPOOL = 64 << 20
#: Frames of level measurements, in seconds.
_LEVEL_FRAME = 0.02
#: Frames quieter than this RMS (-80 dB of full scale: dither, an idle sound card) are silence, whatever surrounds them.
_SILENCE_RMS = 1e-4
#: Full scale of 16-bit samples.
_PCM_16 = 32768


def read(
    source: str | Path | BinaryIO,
    *,
    rate: int = SAMPLE_RATE,
    start: float | None = None,
    end: float | None = None,
    longest: float | None = None,
) -> NDArray[np.float32]:
    """Read a recording, or the part from ``start`` to ``end``, as a mono waveform.

    Channels are averaged. Nothing is clipped or scaled: a clipped recording comes back as it is, a float file may
    exceed 1, silence comes back as zeros. A part too short for a single sample at ``rate`` gives one sample.

    Args:
        source: a path, ``"-"`` for stdin, a ``vqspeech.pipes.Pipe`` (a command, run by the shell where pipes are
            allowed) or a binary file object, which is read from its beginning if it can go there.
        rate: samples per second of the result.
        start: seconds into the recording; its beginning if not given.
        end: seconds into the recording; its end if not given. Up to 0.5 s past the end is read to the end.
        longest: seconds of it at most; ``LONGEST`` if not given.

    Returns:
        ``(samples,)`` in full scale 1; at least one sample.

    Raises:
        InputError: the source is missing, a folder, not audio, damaged, holds no samples or a NaN or infinite one, the
            pipe's command fails or is not allowed, ``start`` and ``end`` are not a part of it, or it lasts longer than
            ``longest``.
    """
    where = _name(source)
    longest = LONGEST if longest is None else longest
    with _opened(source) as file:
        first, last = _part(file, where, start, end)
        pieces = list(_resampled(_mono_blocks(file, where, first, last, longest), file.samplerate, rate))
    if not pieces:
        past = f" after {start:g} s" if start else ""
        raise InputError(f"no samples{past}", where=where, hint="record it again or leave it out")
    return np.concatenate(pieces)


def write(target: str | Path, waveform: ArrayLike, rate: int = SAMPLE_RATE) -> None:
    """Write a mono waveform as 16-bit WAV or FLAC, by the suffix of ``target``; the file appears whole or not at all.

    Samples outside [-1, 1] are clipped. A waveform that was read from a 16-bit file is written back bit for bit.

    Args:
        target: a path ending in ``.wav`` or ``.flac``, or ``"-"`` for a WAV file on stdout.
        waveform: ``(samples,)`` in full scale 1.
        rate: samples per second.

    Raises:
        InputError: another suffix, no samples, or a NaN or infinite one.
        OSError: the file cannot be written.
    """
    import soundfile

    samples = np.asarray(waveform)
    where = "stdout" if str(target) == "-" else str(target)
    if samples.ndim != 1:
        raise ValueError(f"a mono waveform has one dimension, not shape {samples.shape}")
    if not len(samples):
        raise InputError("nothing to write: the waveform has no samples", where=where, hint="check what made it")
    _require_finite(samples, where, rate=rate)
    pcm = np.clip(np.rint(samples.astype(np.float64) * _PCM_16), -_PCM_16, _PCM_16 - 1).astype(np.int16)
    file_format = "WAV" if where == "stdout" else Path(target).suffix.lower().lstrip(".").upper()
    if file_format not in ("WAV", "FLAC"):
        raise InputError("cannot write this kind of audio file", where=where, hint="name it .wav or .flac")
    # In memory first: a header holds the length, and stdout may be a pipe, where nobody can go back to fill it in; nor
    # does libsndfile tell of a full disk by an OSError.
    buffer = io.BytesIO()
    soundfile.write(buffer, pcm, rate, format=file_format, subtype="PCM_16")
    if where == "stdout":
        sys.stdout.buffer.write(buffer.getbuffer())
        sys.stdout.buffer.flush()
        return
    with atomic_open(target, "wb") as file:
        file.write(buffer.getbuffer())


def duration(source: str | Path | BinaryIO) -> float:
    """Length of a recording in seconds: from its header, or by reading it through where the header does not say.

    Args:
        source: as for :func:`read`; a file object is left at its end.

    Raises:
        InputError: as :func:`read`, except that samples are not looked at and a recording of none lasts 0.0 s.
    """
    with _opened(source) as file:
        frames = file.frames if _length_known(file) else sum(len(block) for block in _blocks(file, _name(source)))
        return float(frames / file.samplerate)


def resample(waveform: ArrayLike, rate_in: int, rate_out: int) -> NDArray[np.float32]:
    """Change the sampling rate of a waveform (band-limited, SoX resampler, linear phase, no delay).

    Args:
        waveform: ``(samples,)``.
        rate_in: its samples per second.
        rate_out: those of the result.

    Returns:
        ``(round(samples * rate_out / rate_in),)``, but at least one sample where there was one.
    """
    samples = np.asarray(waveform, np.float32)
    pieces = list(_resampled(iter([samples] if len(samples) else []), rate_in, rate_out))
    return np.concatenate(pieces) if pieces else samples


def active_rms(waveform: ArrayLike, rate: int = SAMPLE_RATE, *, threshold_db: float = 30.0) -> float:
    """Root mean square over the frames in which somebody speaks; pauses do not lower it.

    A frame of 20 ms is active if it is at most ``threshold_db`` below the loud ones (the 95th percentile of frame
    levels). A constant offset does not count.

    Returns:
        The level in full scale 1; 0.0 if no frame is louder than -80 dB of full scale, or there is none.
    """
    levels = _frame_levels(waveform, rate)
    active = levels[_active(levels, threshold_db)]
    return float(np.sqrt(np.mean(active**2))) if len(active) else 0.0


def normalise_level(waveform: ArrayLike, rate: int = SAMPLE_RATE, rms: float = SPEECH_RMS) -> NDArray[np.float32]:
    """Scale a waveform so that its active speech has level ``rms``; a silent or empty one is unchanged.

    Peaks are not limited: a few samples may exceed 1.
    """
    samples = np.asarray(waveform, np.float32)
    level = active_rms(samples, rate)
    return samples * np.float32(rms / level) if level else samples


def trim_silence(
    waveform: ArrayLike, rate: int = SAMPLE_RATE, *, threshold_db: float = 40.0, margin: float = 0.1
) -> NDArray[np.float32]:
    """Cut the silence before the first and after the last active frame; a silent or empty waveform is unchanged.

    Args:
        waveform: ``(samples,)``.
        rate: samples per second.
        threshold_db: a frame this far below the loud ones is silence.
        margin: seconds of it to leave on either side, since speech fades in and out.
    """
    samples = np.asarray(waveform, np.float32)
    active = np.flatnonzero(_active(_frame_levels(samples, rate), threshold_db))
    if not len(active):
        return samples
    frame, spare = _frame_length(rate), round(margin * rate)
    return samples[max(0, active[0] * frame - spare) : (active[-1] + 1) * frame + spare]


def speech_mask(
    waveform: ArrayLike, rate: int = SAMPLE_RATE, *, hop: int, threshold_db: float = 30.0, margin: float = 0.25
) -> NDArray[np.bool_]:
    """Where somebody speaks: at most ``margin`` seconds from an active frame.

    Args:
        waveform: ``(samples,)``.
        rate: samples per second.
        hop: samples that one value of the mask stands for.
        threshold_db: a frame this far below the loud ones is silence.
        margin: so that short pauses count as speech, and long ones do not.

    Returns:
        ``(samples / hop, rounded up,)``.
    """
    samples = np.asarray(waveform, np.float32)
    frame, reach = _frame_length(rate), round(margin / _LEVEL_FRAME)
    active = _active(_frame_levels(samples, rate), threshold_db)
    near = np.convolve(active, np.ones(2 * reach + 1))[reach : reach + len(active)] > 0
    middles = np.minimum(np.arange(0, len(samples), hop) + hop // 2, len(samples) - 1)
    return np.asarray(near[middles // frame])


def _name(source: str | Path | BinaryIO) -> str:
    if isinstance(source, (str, Path)):
        return "stdin" if str(source) == "-" else str(source)
    name = getattr(source, "name", None)
    return name if isinstance(name, str) else "<file object>"


@contextlib.contextmanager
def _opened(source: str | Path | BinaryIO) -> Iterator[soundfile.SoundFile | media.MediaFile]:
    import soundfile

    where = _name(source)
    with contextlib.ExitStack() as stack:
        try:
            stream = stack.enter_context(_seekable(source))
            if not stream.read(1):
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
            with withheld(*_MP3_NOTES):
                file = stack.enter_context(soundfile.SoundFile(stream))
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


def _length_known(file: soundfile.SoundFile | media.MediaFile) -> bool:
    # A FLAC stream from a pipe has no length in its header; libsndfile then gives 0 or the largest 64-bit number.
    return bool(0 < file.frames < 1 << 48)


def _part(
    file: soundfile.SoundFile | media.MediaFile, where: str, start: float | None, end: float | None
) -> tuple[int, int | None]:
    """First frame and the one after the last, ``None`` for the end of the file."""
    first = 0.0 if start is None else start
    if not 0 <= first < math.inf:
        raise InputError(f"cannot start at {first:g} s", where=where, hint="a part starts at 0 s or later")
    if end is not None and not first < end < math.inf:
        raise InputError(
            f"ends at {end:g} s, not after its start at {first:g} s", where=where, hint="give an end after the start"
        )
    if _length_known(file):
        length = file.frames / file.samplerate
        if first >= length or (end is not None and end > length + _OVERSHOOT):
            asked = f"{first:g} s to {'the end' if end is None else f'{end:g} s'}"
            raise InputError(f"lasts {length:.3f} s, asked for {asked}", where=where, hint="ask for a part of it")
    return round(first * file.samplerate), None if end is None else round(end * file.samplerate)


def _blocks(file: soundfile.SoundFile | media.MediaFile, where: str) -> Iterator[NDArray[np.float32]]:
    """``(frames, channels)`` blocks to the end of the file, each valid until the next is asked for."""
    if isinstance(file, media.MediaFile):
        yield from file.blocks()
        return
    import soundfile

    buffer = np.empty((max(1, 2 * _BLOCK // (1 + file.channels)), file.channels), np.float32)
    done = 0
    damaged = False
    while True:
        try:
            # Unlike SoundFile.read, this does not believe the length in the header.
            with _decoder_notes(file) as notes:
                count = file.buffer_read_into(buffer, dtype="float32")
        except Exception as error:
            said = error.error_string if isinstance(error, soundfile.LibsndfileError) else error
            raise InputError(
                f"damaged after {done / file.samplerate:.2f} s: {said}",
                where=where,
                hint="copy it again from its source",
            ) from error
        if notes and not damaged:
            damaged = True
            logger.warning("%s: damaged MP3; what can be decoded is used (copy it again from its source)", where)
        if not count:
            return
        done += count
        yield buffer[:count]


def _decoder_notes(file: soundfile.SoundFile) -> contextlib.AbstractContextManager[list[str]]:
    return withheld(*_MP3_NOTES) if file.format == "MP3" else contextlib.nullcontext([])


def _mono_blocks(
    file: soundfile.SoundFile | media.MediaFile, where: str, first: int, last: int | None, longest: float
) -> Iterator[NDArray[np.float32]]:
    position = file.seek(first) if first and _length_known(file) else 0
    taken = 0
    for block in _blocks(file, where):
        wanted = block[max(0, first - position) : None if last is None else max(0, last - position)]
        taken += len(wanted)
        if taken > longest * file.samplerate:
            most = f"{longest / 3600:g} hours" if longest >= 3600 else f"{longest / 60:g} minutes"
            raise InputError(f"longer than {most}", where=where, hint="cut it into parts")
        if len(wanted):
            mono = wanted.mean(axis=1, dtype=np.float64).astype(np.float32)
            _require_finite(mono, where, rate=file.samplerate, offset=max(first, position))
            yield mono
        position += len(block)
        if last is not None and position >= last:
            return


def _resampled(blocks: Iterator[NDArray[np.float32]], rate_in: int, rate_out: int) -> Iterator[NDArray[np.float32]]:
    """The blocks at another rate, with no seam between them; the result is that of resampling the whole at once."""
    if rate_in == rate_out:
        yield from blocks
        return
    import soxr

    stream = soxr.ResampleStream(rate_in, rate_out, 1, dtype="float32")
    heard: NDArray[np.float32] | None = None
    made = 0
    for block in blocks:
        piece = stream.resample_chunk(block)
        made += len(piece)
        heard = block
        yield piece
    if heard is None:
        return
    tail = stream.resample_chunk(heard[:0], last=True)
    # Less than half an output sample is rounded to none; whoever asked for audio can use one better.
    yield tail if made or len(tail) else heard[:1]


def _require_finite(waveform: NDArray[Any], where: str, *, rate: int, offset: int = 0) -> None:
    finite = np.isfinite(waveform)
    if not finite.all():
        first = int(np.argmin(finite))
        kind = "not a number (NaN)" if np.isnan(waveform[first]) else "infinite"
        raise InputError(
            f"the sample at {(offset + first) / rate:.4f} s is {kind}", where=where, hint="export it again"
        )


def _frame_length(rate: int) -> int:
    return max(1, round(_LEVEL_FRAME * rate))


def _frame_levels(waveform: ArrayLike, rate: int) -> NDArray[np.float64]:
    """RMS of each 20 ms; the last frame may be shorter."""
    samples = np.asarray(waveform, np.float32)
    if not len(samples):
        return np.zeros(0)
    starts = np.arange(0, len(samples), _frame_length(rate))
    power = samples - np.float32(samples.mean(dtype=np.float64))
    np.square(power, out=power)
    lengths = np.diff(starts, append=len(samples))
    return np.asarray(np.sqrt(np.add.reduceat(power, starts, dtype=np.float64) / lengths))


def _active(levels: NDArray[np.float64], threshold_db: float) -> NDArray[np.bool_]:
    if not len(levels):
        return np.zeros(0, bool)
    loud = np.percentile(levels, 95)
    return np.asarray(levels >= max(loud * 10 ** (-threshold_db / 20), _SILENCE_RMS))
