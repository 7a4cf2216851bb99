"""A mono waveform as a WAV or FLAC file of 16 bits, whole or not there at all."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from vqspeech.audio.waveform import SAMPLE_RATE, require_finite
from vqspeech.errors import InputError
from vqspeech.files import atomic_open

#: Full scale of 16-bit samples.
_PCM_16 = 32768


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
    require_finite(samples, where, rate=rate)
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
