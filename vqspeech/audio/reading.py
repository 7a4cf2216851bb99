"""A recording, or a part of it, as a mono waveform: read and resampled in blocks.

So an hour of a recording costs little more memory than the waveform that comes out.
"""

from __future__ import annotations

import contextlib
import logging
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from vqspeech.audio import media
from vqspeech.audio.resampling import resampled
from vqspeech.audio.sources import MP3_NOTES, name_of, opened
from vqspeech.audio.waveform import SAMPLE_RATE, require_finite
from vqspeech.errors import InputError
from vqspeech.stderr_notes import withheld

if TYPE_CHECKING:
    import soundfile


#: Seconds of one recording, or of the part that is asked for, at most: a day's would not fit in memory.
LONGEST = 6 * 3600
#: Input frames (one sample of each channel) read at a time: 1.4 s at 48 kHz.
_BLOCK = 1 << 16
#: How far a segment may reach past the end of its recording, in seconds; Kaldi's extract-segments allows as much.
_OVERSHOOT = 0.5
#: What libsndfile notes of a header that promises more bytes than the file has: of WAV, AIFF, AU, RF64 and W64.
_CUT_SHORT = re.compile(r"^\s*(?:data|SSND|Data Size|Riff size|riff)\s*: (\d+) \(should be (\d+)\)", re.MULTILINE)
#: Promises of more bytes are no length: writers into a pipe, who do not know it, write 2**31 or 2**32, and a bit less.
_NO_LENGTH = 0x7FFF_0000
#: Seconds that a header may promise too much: some writers count the header itself.
_MISCOUNTED = 0.01
logger = logging.getLogger(__name__)


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
    where = name_of(source)
    longest = LONGEST if longest is None else longest
    with opened(source) as file:
        first, last = _part(file, where, start, end)
        if not isinstance(file, media.MediaFile) and (last is None or last > file.frames):
            _note_missing_end(file, where)
        blocks = list(resampled(_mono_blocks(file, where, first, last, longest), file.samplerate, rate))
    if not blocks:
        past = f" after {start:g} s" if start else ""
        raise InputError(f"no samples{past}", where=where, hint="record it again or leave it out")
    return np.concatenate(blocks)


def duration(source: str | Path | BinaryIO) -> float:
    """Length of a recording in seconds: from its header, or by reading it through where the header does not say.

    Args:
        source: as for :func:`read`; a file object is left at its end.

    Raises:
        InputError: as :func:`read`, except that samples are not looked at and a recording of none lasts 0.0 s.
    """
    with opened(source) as file:
        frames = file.frames if _length_known(file) else sum(len(block) for block in _blocks(file, name_of(source)))
        return float(frames / file.samplerate)


def _length_known(file: soundfile.SoundFile | media.MediaFile) -> bool:
    # A FLAC stream from a pipe has no length in its header; libsndfile then gives 0 or the largest 64-bit number.
    return bool(0 < file.frames < 1 << 48)


def _note_missing_end(file: soundfile.SoundFile, where: str) -> None:
    """Log a warning if the file ends before what its header promises."""
    for promised, there in ((int(promised), int(there)) for promised, there in _CUT_SHORT.findall(file.extra_info)):
        missing = (promised / there - 1) * file.frames / file.samplerate if there and promised < _NO_LENGTH else 0.0
        if missing > _MISCOUNTED:
            logger.warning(
                "%s: cut short, the last %.2f s are missing; what is there is used (copy it again from its source)",
                where,
                missing,
            )
            return


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
    return withheld(*MP3_NOTES) if file.format == "MP3" else contextlib.nullcontext([])


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
            one = wanted.shape[1] == 1
            mono = wanted[:, 0].copy() if one else wanted.mean(axis=1, dtype=np.float64).astype(np.float32)
            require_finite(mono, where, rate=file.samplerate, offset=max(first, position))
            yield mono
        position += len(block)
        if last is not None and position >= last:
            return
