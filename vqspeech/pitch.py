"""Pitch: the F0 contour of a recording, and as a network takes it, relative to the speaker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

#: Where the intonation of a conversion comes from: the source's contour, none of it (the model's own choice), or a
#: monotone.
Intonation: TypeAlias = Literal["source", "target", "flat"]
INTONATIONS: tuple[Intonation, ...] = get_args(Intonation)
#: A semitone, in natural logarithms of Hz.
SEMITONE = float(np.log(2)) / 12
#: Range of F0 that is searched, in Hz.
FLOOR, CEILING = 65.0, 450.0
#: Seconds between two analyses.
_STEP = 0.005
#: Share of the recording's peak below which frames tend to be unvoiced; Praat's default.
SILENCE = 0.03
#: Deviations from the speaker's mean at which relative pitch is clipped.
_CLIP = 4.0
#: A typical speaker: mean and standard deviation of log-F0 (of 150 Hz, three and a half semitones), and how many
#: seconds of voiced speech outweigh the deviation.
TYPICAL_MEAN, TYPICAL_DEVIATION, _TYPICAL_SECONDS = float(np.log(150.0)), 0.2, 0.5


@dataclass(frozen=True)
class PitchStatistics:
    """Of a speaker's log-F0, in natural logarithms of Hz.

    Attributes:
        mean: over voiced frames.
        deviation: standard deviation over voiced frames.
    """

    mean: float
    deviation: float


def contour(waveform: NDArray[np.floating], sample_rate: int, times: NDArray[np.floating]) -> NDArray[np.float32]:
    """F0 by Praat's autocorrelation method (Boersma 1993).

    Args:
        waveform: ``(samples,)``.
        sample_rate: in Hz.
        times: ``(frames,)``, in seconds.

    Returns:
        ``(frames,)`` in Hz; 0 where unvoiced, and everywhere in what is too short to analyse.
    """
    import parselmouth

    if len(waveform) < 3.5 * sample_rate / FLOOR:
        return np.zeros(len(times), np.float32)
    sound = parselmouth.Sound(np.asarray(waveform, np.float64), sample_rate)
    pitch = sound.to_pitch_ac(time_step=_STEP, pitch_floor=FLOOR, pitch_ceiling=CEILING, silence_threshold=SILENCE)
    values = pitch.selected_array["frequency"]
    index = np.rint((times - pitch.x1) / pitch.dx).astype(int)
    inside = (index >= 0) & (index < len(values))
    found: NDArray[np.float32] = np.where(inside, values[index.clip(0, len(values) - 1)], 0).astype(np.float32)
    return found


def frame_f0(waveform: NDArray[np.floating], sample_rate: int, *, hop: int, count: int) -> NDArray[np.float32]:
    """F0 at the middle of each of the first ``count`` hops of a waveform, see ``contour``: ``(count,)`` in Hz."""
    return contour(waveform, sample_rate, (np.arange(count) + 0.5) * hop / sample_rate)


def statistics(f0: NDArray[np.floating], frame_period: float) -> PitchStatistics:
    """Mean and deviation of log-F0; of little voiced speech, drawn towards those of an average speaker.

    Args:
        f0: ``(frames,)`` in Hz, 0 where unvoiced.
        frame_period: in seconds.
    """
    logs = np.log(f0[f0 > 0].astype(np.float64))
    weight = _TYPICAL_SECONDS / frame_period
    if not len(logs):
        return PitchStatistics(TYPICAL_MEAN, TYPICAL_DEVIATION)
    # Octave errors are far out: they are left out of both figures.
    logs = logs[np.abs(logs - np.median(logs)) < 0.6]
    mean = float(logs.mean())
    variance = (logs.var() * len(logs) + TYPICAL_DEVIATION**2 * weight) / (len(logs) + weight)
    return PitchStatistics(mean, float(np.sqrt(variance)))


def relative(f0: NDArray[np.floating], speaker: PitchStatistics) -> NDArray[np.float32]:
    """A contour as the conditioning network takes it.

    Args:
        f0: ``(frames,)`` in Hz, 0 where unvoiced.
        speaker: whose F0 it is.

    Returns:
        ``(frames, 3)``: log-F0 in the speaker's deviations from the speaker's mean (0 where unvoiced), voicing, ones.
    """
    voiced = f0 > 0
    z = (np.log(np.maximum(f0, 1.0)) - speaker.mean) / speaker.deviation
    z = np.where(voiced, z.clip(-_CLIP, _CLIP), 0)
    return np.stack([z, voiced, np.ones(len(f0))], 1).astype(np.float32)
