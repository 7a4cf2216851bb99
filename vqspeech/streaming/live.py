"""Conversion between a microphone and a loudspeaker: an audio callback that never waits, and a thread that converts.

Every sample has its time: sample ``i`` of the output is played ``delay`` after sample ``i`` of the input came. What is
not there by its time is a dropout, silence is played for it, and it is left out when it comes: a machine that was too
slow for a moment does not stay late.
"""

from __future__ import annotations

import gc
import threading
import time
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vqspeech.streaming.priority import CALLBACK, CONVERSION, ask_for_real_time, give_up_real_time

#: Seconds for which the thread may be late: it converts a step, and waits for a processor, or for the interpreter.
CUSHION = 0.02
#: Seconds of input that may wait; more is left out, since it is too late for all of it.
_BACKLOG = 1.0
#: Seconds by which microphone and loudspeaker may come apart for a moment.
_DRIFT = 0.1
#: Seconds of output over which the places of microphone and loudspeaker are compared: at first, and then.
_FIRST, _SETTLED = 0.25, 0.5
#: Seconds of input that are converted at a time, so that a backlog is left in small steps.
_BITE = 0.05


class Converter(Protocol):
    """``Stream``, or ``ResampledStream``."""

    sample_rate: int
    latency: float

    def push(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        """Chunk in, chunk out."""
        ...


class Ring:
    """Samples by their places in an endless signal, of which the latest are kept.

    One thread writes and one reads; neither waits for the other.

    Args:
        size: samples that are kept.

    Attributes:
        end: the place after the last that was written.
    """

    def __init__(self, size: int) -> None:
        self._samples = np.zeros(size, np.float32)
        self.end = 0

    def write(self, samples: NDArray[np.float32]) -> None:
        """Append samples, no more than are kept."""
        self._samples[np.arange(self.end, self.end + len(samples)) % len(self._samples)] = samples
        self.end += len(samples)  # last, so that a reader never sees places without samples

    def read(self, begin: int, end: int) -> NDArray[np.float32]:
        """The samples at places ``begin`` to ``end``, all of them written and still kept."""
        return self._samples[np.arange(begin, end) % len(self._samples)]


class LiveConversion:
    """Converts in a thread what an audio callback hands it.

    Args:
        converter: at the rate of the sound device.
        block: most samples of one callback.
        cushion: seconds for which the thread may be late.
        real_time: ask the system to schedule this thread, and those that hand in and take, before others.

    Attributes:
        delay: seconds from a sample to the one that stands for it, without those of the sound device.
        dropouts: how many times there was nothing to play, or the device lost something.
        losses: how many of them were the device's.
        seconds: of input that was converted.
        busy: seconds that took.
        error: what ended the thread, if anything did.
        real_time: whether that was permitted, and not given up since the machine cannot keep up.
    """

    def __init__(self, converter: Converter, *, block: int, cushion: float = CUSHION, real_time: bool = False) -> None:
        rate = converter.sample_rate
        self._converter, self._rate = converter, rate
        self._delay = round((converter.latency + cushion) * rate) + block
        self.delay = self._delay / rate
        self.dropouts = self.losses = 0
        self.seconds = self.busy = 0.0
        self.error: BaseException | None = None
        size = self._delay + 4 * block + round(2 * _BACKLOG * rate)
        self._heard, self._made = Ring(size), Ring(size)
        self._taken = 0  # of what was heard
        self._now: int | None = None  # the place of the input that counts as the present
        self._dry = False
        self._block = block
        # Since places were last compared: how far the microphone was ahead of the loudspeaker, least and most.
        self._least = self._most = self._played = 0
        self._until = _FIRST
        self._news, self._over = threading.Event(), False
        self.real_time, self._asks, self._asked = False, real_time, threading.local()
        if real_time:
            gc.freeze()  # the model's objects, which a collection in the middle would look through
        self._thread = threading.Thread(target=self._convert, name="vqspeech-live", daemon=True)
        self._thread.start()

    def exchange(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Hand in what the microphone gave, and take as many samples to play. Never waits.

        Args:
            samples: ``(samples,)``.
        """
        self.hear(samples)
        return self.play(len(samples))

    def hear(self, samples: NDArray[np.float32]) -> None:
        """Hand in what the microphone gave, ``(samples,)``. Never waits."""
        self._hurry(CALLBACK)
        self._heard.write(samples)
        self._news.set()

    def play(self, count: int) -> NDArray[np.float32]:
        """Take ``count`` samples to play. Never waits."""
        self._hurry(CALLBACK)
        begin = self._present(count) - self._delay
        played = np.zeros(count, np.float32)
        first, end = max(0, begin), min(begin + count, self._made.end)
        if end > first:
            played[first - begin : end - begin] = self._made.read(first, end)
        dry = begin + count > max(0, self._made.end)
        self.dropouts += dry and not self._dry
        self._dry = dry
        return played

    def lost(self) -> None:
        """Count what the device lost: a buffer of its own ran full, or empty."""
        self.dropouts += 1
        self.losses += 1

    def _present(self, count: int) -> int:
        """The place of the input that counts as the present while ``count`` samples are played.

        Microphone and loudspeaker have buffers that fill up in turn (a loudspeaker asks for several blocks at once
        before it starts) and clocks of their own. The present is where the microphone is when it is at its latest; it
        jumps there after the first moment, when the two are ``_DRIFT`` apart, and when the microphone was a block or
        more ahead, or behind, for all of ``_SETTLED``.
        """
        ahead = self._heard.end - count - (self._now or 0)
        if self._now is None or abs(ahead) > _DRIFT * self._rate:
            self._now, ahead = self._heard.end - count, 0
            self._played, self._until = 0, _FIRST
        self._least, self._most = (min(self._least, ahead), max(self._most, ahead)) if self._played else (ahead, ahead)
        self._played += count
        if self._played >= self._until * self._rate:
            if self._until == _FIRST or self._least >= self._block or self._most < 0:
                self._now += self._least
            self._played, self._until = 0, _SETTLED
        now = self._now
        self._now += count
        return now

    def waiting(self) -> float:
        """Seconds of input that wait to be converted."""
        return (self._heard.end - self._taken) / self._rate

    def close(self) -> None:
        """End the thread."""
        self._over = True
        self._news.set()
        self._thread.join(timeout=5)

    @property
    def load(self) -> float:
        """Share of real time that conversion took."""
        return self.busy / self.seconds if self.seconds else 0.0

    def _hurry(self, level: int) -> bool:
        """Ask for real-time scheduling the first time that a thread comes by."""
        if self._asks and not hasattr(self._asked, "level"):
            self._asked.level = level
            return ask_for_real_time(level)
        return False

    def _convert(self) -> None:
        self.real_time = self._hurry(CONVERSION)
        bite = max(1, round(_BITE * self._rate))
        try:
            while True:
                self._news.wait()
                self._news.clear()
                while not self._over and self._taken < self._heard.end:
                    self._skip()
                    end = min(self._taken + bite, self._heard.end)
                    began = time.perf_counter()
                    made = self._converter.push(self._heard.read(self._taken, end))
                    self._made.write(made)
                    self.busy += time.perf_counter() - began
                    self.seconds += (end - self._taken) / self._rate
                    self._taken = end
                if self._over:
                    return
        except Exception as error:  # the command reports it
            self.error = error

    def _skip(self) -> None:
        """Leave out what waits where it is too much; it was silence when its time came.

        A machine that cannot keep up would run nothing beside this thread, not even what ends it: it waits like others.
        """
        late = self._heard.end - self._taken
        if late > _BACKLOG * self._rate:
            if self.real_time and self.seconds > 1 and self.load > 1:
                self.real_time = False
                give_up_real_time()
            self._taken += late
            self._made.write(np.zeros(late, np.float32))
