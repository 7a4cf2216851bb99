"""Recordings, codes and pitch as a caller gives them, checked and in the form that the network takes."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vqspeech import audio
from vqspeech.errors import InputError

#: A file, open or by its path, ``-`` for stdin, a ``vqspeech.pipes.Pipe``, or a waveform ``(samples,)`` at the model's
#: sample rate.
Recording: TypeAlias = str | os.PathLike[str] | BinaryIO | ArrayLike


def waveform_of(recording: Recording, rate: int, *, start: float | None, end: float | None) -> NDArray[np.float32]:
    """A recording, or the part from ``start`` to ``end`` seconds, as ``(samples,)`` at ``rate`` samples per second.

    Raises:
        InputError: it cannot be read, is empty or holds NaN, or ``start`` and ``end`` are not a part of it.
    """
    if isinstance(recording, str | os.PathLike | io.IOBase):
        source = Path(recording) if isinstance(recording, os.PathLike) else recording
        return audio.read(source, rate=rate, start=start, end=end)
    waveform = np.asarray(recording, np.float32)
    if waveform.ndim != 1 or not len(waveform):
        raise InputError(f"a waveform of shape {waveform.shape}", hint="give one channel: (samples,)")
    if not np.isfinite(waveform).all():
        raise InputError("a waveform with NaN or infinite samples", hint="mend it")
    return _part(waveform, rate, start, end)


def checked_codes(codes: ArrayLike, size: int) -> NDArray[np.int64]:
    """Codes as ``(frames,)`` int64.

    Args:
        codes: ``(frames,)`` integers.
        size: of the codebook.

    Raises:
        InputError: another shape or type, or a code outside the codebook.
    """
    sequence = np.asarray(codes)
    if sequence.ndim != 1 or not len(sequence) or not np.issubdtype(sequence.dtype, np.integer):
        raise InputError("codes must be integers of shape (frames,)", hint="encode a recording")
    if sequence.min() < 0 or sequence.max() >= size:
        raise InputError(f"a code outside 0 to {size - 1}", hint="decode with the model that made the codes")
    return sequence.astype(np.int64)


def checked_pitch(pitch: ArrayLike, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Relative pitch as float32 of a given shape, ``(frames, features)``.

    Raises:
        InputError: another shape, or NaN.
    """
    frames = np.asarray(pitch, np.float32)
    if frames.shape != shape or not np.isfinite(frames).all():
        raise InputError(f"pitch of shape {frames.shape}, not {shape}", hint="take it from Model.pitch")
    return frames


def _part(waveform: NDArray[np.float32], rate: int, start: float | None, end: float | None) -> NDArray[np.float32]:
    """The samples from ``start`` to ``end`` seconds; as of a file, up to half a second past the end is its end."""
    length = len(waveform) / rate
    first, last = 0.0 if start is None else start, length if end is None else end
    if not (0 <= first < min(last, length) and last <= length + 0.5):
        raise InputError(f"lasts {length:.3f} s, asked for {first:g} s to {last:g} s", hint="ask for a part of it")
    return waveform[round(first * rate) : max(round(first * rate) + 1, round(last * rate))]
