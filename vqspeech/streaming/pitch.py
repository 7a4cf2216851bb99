"""The F0 of a stream, and running statistics of the speaker's.

Frames close to where the stream has got to are not asked for, so that the tracker, which joins frames to a path, sees
what follows each.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vqspeech.pitch import (
    CEILING,
    FLOOR,
    TYPICAL_DEVIATION,
    TYPICAL_MEAN,
    PitchStatistics,
    frame_f0,
    relative,
)
from vqspeech.streaming.pitch_tracker import PitchTracker
from vqspeech.streaming.statistics import RunningHistogram

#: Seconds between two analyses.
STEP = 0.008
#: Seconds of voiced speech that the statistics of log-F0 remember, and that the typical mean and deviation count for.
MEMORY, MEAN_PRIOR, DEVIATION_PRIOR = 20.0, 0.1, 0.5
#: Peak over RMS of speech.
_CREST = 7.0
#: Octave errors are further than this from the median, in natural logarithms.
_OCTAVE = 0.6
_BINS = 160


class RunningPitch:
    """Pitch of a stream of speech at the working level, relative to its speaker's.

    Of the voiced frames so far in a running histogram of log-F0, those within 0.6 of its median count. With ``n`` their
    weight in seconds, ``mu`` and ``s^2`` their mean and variance:

        mean      = (n mu + MEAN_PRIOR log 150) / (n + MEAN_PRIOR)
        deviation = sqrt((n s^2 + DEVIATION_PRIOR 0.2^2) / (n + DEVIATION_PRIOR))

    as ``vqspeech.pitch.statistics`` computes them of a whole recording, which has no prior of the mean.

    Args:
        sample_rate: in Hz.
        hop: samples of a frame.
        rms: the working level.

    Attributes:
        frozen: whether the statistics stay as they are.
    """

    def __init__(self, sample_rate: int, hop: int, rms: float) -> None:
        self.frozen = False
        self._rate, self._hop = sample_rate, hop
        self._statistics: PitchStatistics | None = None  # while no frame has changed them
        self._tracker = PitchTracker(sample_rate, step=STEP, peak=_CREST * rms)
        self._histogram = RunningHistogram(
            float(np.log(FLOOR)), float(np.log(CEILING)), bins=_BINS, most=MEMORY * sample_rate / hop
        )

    def push(self, samples: NDArray[np.float32]) -> None:
        """Take the next samples, ``(samples,)``."""
        self._tracker.push(samples)

    def frames(self, first: int, count: int) -> NDArray[np.float32]:
        """The frames from ``first`` on, counted from the start of the stream: ``(count, 3)``, see ``relative``."""
        f0 = self._tracker.f0((first + np.arange(count) + 0.5) * self._hop)
        if not self.frozen:
            self._add(f0)
        return relative(f0, self.statistics)

    def enrol(self, samples: NDArray[np.float32]) -> None:
        """Begin with the statistics of a recording, ``(samples,)`` at the working level."""
        f0 = frame_f0(samples, self._rate, hop=self._hop, count=len(samples) // self._hop)
        self._add(f0)

    @property
    def statistics(self) -> PitchStatistics:
        """Mean and deviation of the speaker's log-F0 so far."""
        if self._statistics is None:
            self._statistics = self._found()
        return self._statistics

    def _add(self, f0: NDArray[np.float32]) -> None:
        """Take the voiced of these frames, ``(frames,)``, into account."""
        for value in np.log(f0[f0 > 0].astype(np.float64)).tolist():
            self._histogram.add(value)
            self._statistics = None

    def _found(self) -> PitchStatistics:
        period = self._hop / self._rate
        middle = self._histogram.quantile(0.5)
        weight, mean, variance = self._histogram.moments(middle - _OCTAVE, middle + _OCTAVE)
        seconds = weight * period
        return PitchStatistics(
            (seconds * mean + MEAN_PRIOR * TYPICAL_MEAN) / (seconds + MEAN_PRIOR),
            float(np.sqrt((seconds * variance + DEVIATION_PRIOR * TYPICAL_DEVIATION**2) / (seconds + DEVIATION_PRIOR))),
        )
