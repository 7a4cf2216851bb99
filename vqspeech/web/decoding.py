"""Uploads to waveforms, each in a process of its own that can do no more than that.

Decoders of audio formats are written in C and fed by anybody here. The process that runs them is given no name of the
user's, may write one file of bounded size, and is killed when it takes too much memory, processor time or time.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import resource
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path

import numpy as np

from vqspeech import audio
from vqspeech.errors import InputError
from vqspeech.web.limits import Limits
from vqspeech.web.refusals import Refused, line_of

_TOO_MUCH = "the recording cannot be decoded: it is damaged, or takes too much memory or time (export it as WAV)"
#: Bytes of a float32 sample.
_SAMPLE = 4


def decode_in_place(upload: str, target: str, rate: int, limits: Limits) -> float:
    """Decode a file to raw float32 samples, in this process.

    Args:
        upload: any audio file.
        target: is written, ``(samples,)`` float32 at ``rate``.
        rate: in Hz.
        limits: its length is checked as it is read.

    Returns:
        Its duration in seconds.

    Raises:
        InputError: it is no audio, damaged, empty or too long.
    """
    with Path(upload).open("rb") as file:
        waveform = audio.read(file, rate=rate, longest=limits.seconds)
    waveform.tofile(target)
    return len(waveform) / rate


def _confine(limits: Limits, samples: float) -> None:
    """Take away from this process what decoding does not need."""
    began = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    processor = int(limits.decode_seconds) + 1
    for what, most in (
        (resource.RLIMIT_AS, began + limits.decode_bytes),
        (resource.RLIMIT_CPU, processor),
        (resource.RLIMIT_FSIZE, int(samples + 1) * _SAMPLE + (1 << 20)),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (allowed, allowed))


def _decode(connection: Connection, upload: str, target: str, rate: int, limits: Limits) -> None:
    """What the process does: one answer, the duration or why there is none."""
    try:
        with contextlib.suppress(OSError, ValueError):  # without /proc the limits on time remain
            _confine(limits, limits.seconds * rate)
        answer: float | str = decode_in_place(upload, target, rate, limits)
    except InputError as error:
        answer = line_of(error)
    except MemoryError:
        answer = _TOO_MUCH
    except OSError:
        answer = "the recording cannot be stored: it is too long, or the disk is full"
    connection.send(answer)


def _ready(connection: Connection) -> None:
    connection.send(0.0)


class Decoder:
    """Starts those processes, a few at a time.

    Args:
        limits: of each.
        rate: of the waveforms, in Hz.
    """

    def __init__(self, limits: Limits, rate: int) -> None:
        self.limits = limits
        self.rate = rate
        # A clean process, in which the decoders are imported already, is copied for each upload.
        self._context: ForkServerContext = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["__main__", "vqspeech.web.decoding", "soundfile", "soxr", "av"])
        self._turn = asyncio.Semaphore(limits.decoders)

    async def warm_up(self) -> None:
        """Have the process that is copied import what it needs."""
        await self._run(_ready, ())

    async def decode(self, upload: Path, target: Path) -> float:
        """Decode ``upload`` to ``target``, raw float32; returns seconds.

        Raises:
            Refused: why it cannot be decoded.
        """
        async with self._turn:
            return await self._run(_decode, (str(upload), str(target), self.rate, self.limits))

    async def _run(self, work: Callable[..., None], arguments: tuple[object, ...]) -> float:
        ours, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(target=work, args=(theirs, *arguments), daemon=True)
        process.start()
        theirs.close()
        try:
            answer = await _received(ours, self.limits.decode_seconds)
        finally:
            process.kill()  # it has answered, or shall not
            ours.close()
            process.join()
            process.close()
        if isinstance(answer, str):
            raise Refused(answer)
        return answer


async def _received(connection: Connection, seconds: float) -> float | str:
    """The one answer of a process, waited for without stopping the others."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(connection.fileno(), readable.set)
    try:
        await asyncio.wait_for(readable.wait(), seconds)
        answer: float | str = connection.recv()
    except (TimeoutError, EOFError, OSError):
        return _TOO_MUCH
    finally:
        loop.remove_reader(connection.fileno())
    return answer


def load_samples(path: Path) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """What ``decode`` wrote, ``(samples,)`` float32."""
    return np.fromfile(path, np.float32)
