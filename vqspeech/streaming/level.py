"""The running level of a stream, and whether somebody speaks.

Offline, a recording is scaled by the level of its active speech (``vqspeech.audio.normalise_level``). Of a stream, with
``L`` the level of a frame of about 20 ms in dB of full scale, its own mean taken away:

    floor:   F <- min(L, F + RISE x frame)                          the quietest of late
    speech:  L > max(F + ABOVE_FLOOR, LEAST), or less than HANGOVER seconds ago
    loud:    95th percentile of L over the frames louder than that, in a running histogram
    found:   root mean square over those of them from ``loud - RANGE`` on, in dB; n seconds of speech are behind it
    level:   (n found + PRIOR working level) / (n + PRIOR), in dB

The gain is the working level over this one. It moves along a straight line from frame to frame, one frame late, so that
the stream is not delayed. A pause, however long, changes nothing: its frames are not speech, unless its noise rises.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vqspeech.streaming.statistics import RunningHistogram

#: Seconds of a frame, about.
FRAME = 0.02
#: By how much the floor rises, in dB per second; how far above it speech begins, and where at the least, in dB.
RISE, ABOVE_FLOOR, LEAST = 3.0, 9.0, -70.0
#: Seconds that a pause has to last to be none of speech.
HANGOVER = 0.25
#: How far below the loud frames active speech goes, in dB, as offline.
RANGE = 30.0
#: Seconds of speech that the histogram remembers, and that the working level counts for at first.
MEMORY, PRIOR = 20.0, 0.1
#: Lowest and highest level of the histogram, in dB, and its bins.
_LOW, _HIGH, _BINS = -80.0, 10.0, 180
#: Most amplification and most attenuation.
_GAINS = (0.1, 300.0)


class RunningLevel:
    """Brings a stream to the working level, step by step.

    Args:
        sample_rate: in Hz.
        hop: samples of a step; a frame is a whole number of steps.
        rms: the working level, in full scale 1.

    Attributes:
        speech: whether the last frame was speech, or came soon after some.
        frozen: whether level and gain stay as they are.
    """

    def __init__(self, sample_rate: int, hop: int, rms: float) -> None:
        self.speech = False
        self.frozen = False
        self._rms, self._rate = rms, sample_rate
        self._steps = max(1, round(FRAME * sample_rate / hop))
        self._period = self._steps * hop / sample_rate
        self._frame: list[NDArray[np.float32]] = []
        self._floor: float | None = None
        self._since_speech = np.inf
        self._histogram = RunningHistogram(_LOW, _HIGH, bins=_BINS, most=MEMORY / self._period)
        self._from = self._to = 1.0  # gains at the ends of the frame that comes in

    def push(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take the samples of one step, ``(hop,)`` (fewer of the first one), and give them at the working level."""
        done = len(self._frame)
        self._frame.append(samples)
        place = (done + (np.arange(len(samples)) + 1) / len(samples)) / self._steps  # (hop,), in (0, 1]
        gains = (self._from + (self._to - self._from) * place).astype(np.float32)
        if len(self._frame) == self._steps:
            self._finish(np.concatenate(self._frame).astype(np.float64))
            self._frame = []
        return samples * gains

    def enrol(self, samples: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Find the level of a recording, with which the stream then begins.

        Args:
            samples: ``(samples,)``.

        Returns:
            It at the working level, and where there is speech: ``(steps,)``.
        """
        hop = round(self._period * self._rate / self._steps)
        speech = []
        for begin in range(0, len(samples) - hop + 1, hop):
            self.push(samples[begin : begin + hop])
            speech.append(self.speech)
        gain = self._gain()
        self._frame, self._floor, self._since_speech, self.speech = [], None, np.inf, False
        self._from = self._to = gain
        return samples * np.float32(gain), np.array(speech, bool)

    def _finish(self, frame: NDArray[np.float64]) -> None:
        level = max(_LOW, 10 * np.log10(max(float(frame.var()), 1e-12)))
        self._floor = level if self._floor is None else min(level, self._floor + RISE * self._period)
        loud = level > max(self._floor + ABOVE_FLOOR, LEAST)
        self._since_speech = 0.0 if loud else self._since_speech + self._period
        self.speech = self._since_speech < HANGOVER
        if loud and not self.frozen:
            self._histogram.add(level, figure=10 ** (level / 10))
        self._from, self._to = self._to, self._gain()

    def _gain(self) -> float:
        if self.frozen:
            return self._to
        return float(np.clip(self._rms / self.level, *_GAINS))

    @property
    def level(self) -> float:
        """RMS of active speech as it comes in, in full scale 1."""
        power = self._histogram.moments(self._histogram.quantile(0.95) - RANGE, _HIGH)[1]
        seconds = self._histogram.weight * self._period
        trust = seconds / (seconds + PRIOR)
        return float(self._rms * (np.sqrt(power) / self._rms) ** trust)
