"""Level and activity of speech: how loud it is where somebody speaks, and where that is."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vqspeech.audio.waveform import SAMPLE_RATE

#: RMS of active speech that models are trained at (full scale is 1).
SPEECH_RMS = 0.06
#: Frames of level measurements, in seconds.
_LEVEL_FRAME = 0.02
#: Frames quieter than this RMS (-80 dB of full scale: dither, an idle sound card) are silence, whatever surrounds them.
_SILENCE_RMS = 1e-4


def active_rms(waveform: ArrayLike, rate: int = SAMPLE_RATE, *, threshold_db: float = 30.0) -> float:
    """Root mean square over the frames in which somebody speaks; pauses do not lower it.

    A frame of 20 ms is active if it is at most ``threshold_db`` below the loud ones (the 95th percentile of frame
    levels). A constant offset does not count.

    Returns:
        The level in full scale 1; 0.0 if no frame is louder than -80 dB of full scale, or there is none.
    """
    levels = _frame_levels(waveform, rate)
    active = levels[_active(levels, threshold_db)]
    return float(np.sqrt(np.mean(active**2))) if len(active) else 0.0


def normalise_level(waveform: ArrayLike, rate: int = SAMPLE_RATE, rms: float = SPEECH_RMS) -> NDArray[np.float32]:
    """Scale a waveform so that its active speech has level ``rms``; a silent or empty one is unchanged.

    Peaks are not limited: a few samples may exceed 1.
    """
    samples = np.asarray(waveform, np.float32)
    level = active_rms(samples, rate)
    return samples * np.float32(rms / level) if level else samples


def trim_silence(
    waveform: ArrayLike, rate: int = SAMPLE_RATE, *, threshold_db: float = 40.0, margin: float = 0.1
) -> NDArray[np.float32]:
    """Cut the silence before the first and after the last active frame; a silent or empty waveform is unchanged.

    Args:
        waveform: ``(samples,)``.
        rate: samples per second.
        threshold_db: a frame this far below the loud ones is silence.
        margin: seconds of it to leave on either side, since speech fades in and out.
    """
    samples = np.asarray(waveform, np.float32)
    active = np.flatnonzero(_active(_frame_levels(samples, rate), threshold_db))
    if not len(active):
        return samples
    frame, spare = _frame_length(rate), round(margin * rate)
    return samples[max(0, active[0] * frame - spare) : (active[-1] + 1) * frame + spare]


def speech_mask(
    waveform: ArrayLike, rate: int = SAMPLE_RATE, *, hop: int, threshold_db: float = 30.0, margin: float = 0.25
) -> NDArray[np.bool_]:
    """Where somebody speaks: at most ``margin`` seconds from an active frame.

    Args:
        waveform: ``(samples,)``.
        rate: samples per second.
        hop: samples that one value of the mask stands for.
        threshold_db: a frame this far below the loud ones is silence.
        margin: so that short pauses count as speech, and long ones do not.

    Returns:
        ``(samples / hop, rounded up,)``.
    """
    samples = np.asarray(waveform, np.float32)
    frame, reach = _frame_length(rate), round(margin / _LEVEL_FRAME)
    active = _active(_frame_levels(samples, rate), threshold_db)
    near = np.convolve(active, np.ones(2 * reach + 1))[reach : reach + len(active)] > 0
    middles = np.minimum(np.arange(0, len(samples), hop) + hop // 2, len(samples) - 1)
    return np.asarray(near[middles // frame])


def _frame_length(rate: int) -> int:
    return max(1, round(_LEVEL_FRAME * rate))


def _frame_levels(waveform: ArrayLike, rate: int) -> NDArray[np.float64]:
    """RMS of each 20 ms; the last frame may be shorter."""
    samples = np.asarray(waveform, np.float32)
    if not len(samples):
        return np.zeros(0)
    starts = np.arange(0, len(samples), _frame_length(rate))
    power = samples - np.float32(samples.mean(dtype=np.float64))
    np.square(power, out=power)
    lengths = np.diff(starts, append=len(samples))
    return np.asarray(np.sqrt(np.add.reduceat(power, starts, dtype=np.float64) / lengths))


def _percentile(values: NDArray[np.float64], percent: int) -> float:
    """As ``np.percentile``, to the bit, without what that costs for a few values."""
    place, rest = divmod(percent * (len(values) - 1), 100)
    if not rest:
        return float(np.partition(values, place)[place])
    ordered = np.partition(values, (place, place + 1))
    low, high = float(ordered[place]), float(ordered[place + 1])
    share = percent / 100 * (len(values) - 1) - place
    return low + (high - low) * share if share < 0.5 else high - (high - low) * (1 - share)


def _active(levels: NDArray[np.float64], threshold_db: float) -> NDArray[np.bool_]:
    if not len(levels):
        return np.zeros(0, bool)
    loud = _percentile(levels, 95)
    return np.asarray(levels >= max(loud * 10 ** (-threshold_db / 20), _SILENCE_RMS))
