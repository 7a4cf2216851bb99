"""A stream at another rate than the model's: resampling that goes on, with a stated delay.

Output ``m`` lies at input position ``m rate_in / rate_out``. It is the sum of the ``2 half`` inputs about it, weighted
by a sinc that passes what both rates can hold, under a Kaiser window (Smith and Gossett 1984, "A flexible sampling-rate
conversion method"): with ``c = min(1, rate_out / rate_in)``,

    y[m] = sum over n of x[n] c sinc(c (n - m rate_in / rate_out)) kaiser((n - m rate_in / rate_out) / half)

so it waits for ``half`` inputs and no more: 1 ms from 48 kHz to 16 kHz. Positions are exact fractions: nothing drifts.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vqspeech.streaming.stream import Stream

#: Zero crossings of the sinc on either side, in samples of the lower rate; shape of the window (80 dB).
_CROSSINGS, _BETA = 16, 8.0
#: Share of the lower rate's band that passes.
_CUTOFF = 0.92


class RateConverter:
    """Changes the rate of a stream.

    Args:
        rate_in: samples per second that come in.
        rate_out: samples per second that go out.

    Attributes:
        delay: seconds from a sample to those that stand for it.
    """

    def __init__(self, rate_in: int, rate_out: int) -> None:
        divisor = math.gcd(rate_in, rate_out)
        # Output m lies at input m down / up.
        self._up, self._down = rate_out // divisor, rate_in // divisor
        narrow = min(1.0, rate_out / rate_in)
        self._half = 0 if rate_in == rate_out else math.ceil(_CROSSINGS / narrow)
        self.delay = self._half / rate_in
        # Weights of each fraction of a position, (up, 2 half): of inputs from half - 1 before it on.
        offsets = np.arange(1 - self._half, self._half + 1) - np.arange(self._up)[:, None] / self._up
        window = np.i0(_BETA * np.sqrt(np.clip(1 - (offsets / max(1, self._half)) ** 2, 0, 1))) / np.i0(_BETA)
        cut = narrow * _CUTOFF
        weights = cut * np.sinc(cut * offsets) * window
        self._weights = (weights / np.maximum(weights.sum(1, keepdims=True), 1e-9)).astype(np.float32)
        self._inputs = np.zeros(max(0, self._half - 1), np.float32)
        self._first = 1 - self._half  # place of the first of them
        self._next = 0  # the next output

    def push(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """``(samples,)`` -> the outputs that they complete."""
        if not self._half:
            return samples
        self._inputs = np.concatenate([self._inputs, samples])
        # The last output whose newest input, its whole position + half, is there.
        newest = self._first + len(self._inputs) - 1 - self._half
        stop = (newest * self._up + self._up - 1) // self._down + 1 if newest >= 0 else 0
        outputs = np.arange(self._next, max(self._next, stop))
        if not len(outputs):
            return np.zeros(0, np.float32)
        whole, fraction = np.divmod(outputs * self._down, self._up)
        windows = np.lib.stride_tricks.sliding_window_view(self._inputs, 2 * self._half)
        made = (windows[whole - self._half + 1 - self._first] * self._weights[fraction]).sum(1)
        self._next = int(outputs[-1]) + 1
        unneeded = self._next * self._down // self._up - self._half + 1 - self._first
        self._inputs, self._first = self._inputs[unneeded:].copy(), self._first + unneeded
        return made


class ResampledStream:
    """A ``Stream`` whose input and output have another rate.

    Args:
        stream: at the model's rate.
        rate: samples per second of what goes in and comes out.

    Attributes:
        stream: the one given.
        sample_rate: ``rate``.
        latency: seconds, as of ``Stream``, the delays of both conversions included.
    """

    def __init__(self, stream: Stream, rate: int) -> None:
        self.stream, self.sample_rate = stream, rate
        self._down, self._up = RateConverter(rate, stream.sample_rate), RateConverter(stream.sample_rate, rate)
        # A sample of either rate is rounded up to whole ones.
        rounding = 0.0 if rate == stream.sample_rate else 2 / min(rate, stream.sample_rate)
        self.latency = stream.latency + self._down.delay + self._up.delay + rounding
        self._owed = 0

    def push(self, waveform: ArrayLike) -> NDArray[np.float32]:
        """As ``Stream.push``, at this rate."""
        samples = np.asarray(waveform, np.float32)
        self._owed += len(samples)
        made = self._up.push(self.stream.push(self._down.push(samples)))
        self._owed -= len(made)
        return made

    def finish(self) -> NDArray[np.float32]:
        """As ``Stream.finish``: in the end there is a sample for each that was pushed."""
        owed = self._owed
        if self._down.delay == 0:
            return self.stream.finish()
        silence = np.zeros(math.ceil(self.latency * self.sample_rate), np.float32)
        made = [self.push(silence)]
        made.append(self._up.push(self.stream.finish()))
        return np.concatenate(made)[:owed]
