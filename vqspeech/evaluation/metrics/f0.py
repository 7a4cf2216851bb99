"""How high a voice is and how it moves: F0 by Praat's autocorrelation method (Boersma 1993)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vqspeech.audio import SAMPLE_RATE

#: Seconds from one F0 value to the next.
PERIOD = 0.01
#: Hz between which F0 is looked for at first, before the voice is known.
_LOWEST, _HIGHEST = 60.0, 600.0
#: Frames that must be voiced in both for a correlation to mean anything.
_FEWEST_SHARED = 10


@dataclass(frozen=True)
class Contour:
    """F0 over time.

    Attributes:
        hertz: ``(frames,)``, 0 where there is no voice.
        times: ``(frames,)``, centres in seconds.
    """

    hertz: NDArray[np.float64]
    times: NDArray[np.float64]

    @property
    def voiced(self) -> NDArray[np.float64]:
        """F0 of the voiced frames, ``(voiced frames,)`` in Hz."""
        return self.hertz[self.hertz > 0]

    @property
    def mean(self) -> float | None:
        """In Hz; None without voice."""
        return float(self.voiced.mean()) if len(self.voiced) else None

    @property
    def range(self) -> float | None:
        """Semitones from the 5th to the 95th percentile; None without voice."""
        if not len(self.voiced):
            return None
        low, high = np.percentile(self.voiced, [5, 95])
        return float(12 * np.log2(high / low))


def contour(waveform: NDArray[np.float32]) -> Contour:
    """F0 of ``(samples,)`` at 16 kHz, in two passes.

    The second looks only from 0.75 times the first quartile to 1.5 times the third of the first, which takes away
    most octave errors (De Looze and Hirst 2008).
    """
    found = _track(waveform, _LOWEST, _HIGHEST)
    if not len(found.voiced):
        return found
    low, high = np.percentile(found.voiced, [25, 75])
    return _track(waveform, max(_LOWEST, 0.75 * low), min(_HIGHEST, 1.5 * high))


def _track(waveform: NDArray[np.float32], floor: float, ceiling: float) -> Contour:
    import parselmouth

    # Praat needs three periods of the lowest F0 in its window.
    samples = np.pad(waveform.astype(np.float64), (0, max(0, round(4 * SAMPLE_RATE / floor) - len(waveform))))
    pitch = parselmouth.Sound(samples, SAMPLE_RATE).to_pitch_ac(
        time_step=PERIOD, pitch_floor=floor, pitch_ceiling=ceiling
    )
    return Contour(np.nan_to_num(pitch.selected_array["frequency"]), np.asarray(pitch.xs()))


def correlation(first: Contour, second: Contour) -> float | None:
    """Pearson's correlation of log F0 at the times when both are voiced; None if that is under 0.1 s.

    Both contours must be of recordings that run side by side, as a source and its conversion do.
    """
    if not len(first.times) or not len(second.times):
        return None
    place = np.abs(second.times[None] - first.times[:, None]).argmin(1)
    beside = second.hertz[place]
    both = (first.hertz > 0) & (beside > 0) & (np.abs(second.times[place] - first.times) < PERIOD)
    if both.sum() < _FEWEST_SHARED:
        return None
    one, other = np.log(first.hertz[both]), np.log(beside[both])
    if min(one.std(), other.std()) < 1e-6:
        return None
    return float(np.corrcoef(one, other)[0, 1])
