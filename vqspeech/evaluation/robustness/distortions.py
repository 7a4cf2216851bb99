"""What a recording goes through without another word being said: noise, speed, pitch, a codec, level, a microphone."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from vqspeech import audio

Samples = NDArray[np.float32]

#: Knots of the microphone's response: Hz and dB. A small headset: little below 200 Hz, a rise at 3 kHz, a dull top.
_MICROPHONE = ((0, -40), (100, -15), (250, -3), (1000, 0), (3000, 5), (5000, -3), (7000, -12), (8000, -20))
#: Samples by which a codec may delay its output, at most.
_LONGEST_DELAY = 4000


@dataclass(frozen=True)
class Distortion:
    """One change of a recording.

    Attributes:
        about: what it is, for the reader.
        apply: from ``(samples,)`` at 16 kHz and a generator of random numbers to ``(samples,)``.
        keeps_time: whether each frame is still where it was.
    """

    about: str
    apply: Callable[[Samples, np.random.Generator], Samples]
    keeps_time: bool = True


def add_noise(waveform: Samples, rng: np.random.Generator, *, snr: float) -> Samples:
    """White noise, ``snr`` dB below the level of active speech."""
    noise = rng.standard_normal(len(waveform)).astype(np.float32)
    level = audio.active_rms(waveform) * 10 ** (-snr / 20)
    return waveform + np.float32(level) * noise


def change_speed(waveform: Samples, rng: np.random.Generator, *, factor: float) -> Samples:  # noqa: ARG001
    """Play faster (above 1) or slower, pitch and formants with it, as Kaldi's speed perturbation does."""
    return audio.resample(waveform, round(audio.SAMPLE_RATE * factor), audio.SAMPLE_RATE)


def shift_pitch(waveform: Samples, rng: np.random.Generator, *, semitones: float) -> Samples:
    """Move F0 and leave formants and timing, by Praat's "Change gender"."""
    import parselmouth
    from parselmouth.praat import call, run

    try:
        sound = parselmouth.Sound(waveform.astype(np.float64), sampling_frequency=audio.SAMPLE_RATE)
        contour = sound.to_pitch(time_step=0.01, pitch_floor=75.0, pitch_ceiling=500.0).selected_array["frequency"]
        voiced = contour[contour > 0]
        if not len(voiced):
            return waveform
        # Praat rearranges voiceless segments at random, from a generator of its own.
        run(f"random_initializeWithSeedUnsafelyButPredictably ({rng.integers(1, 2**31)})")
        median = float(np.median(voiced)) * 2 ** (semitones / 12)
        changed = call(sound, "Change gender", 75.0, 500.0, 1.0, median, 1.0, 1.0).values[0]
    except parselmouth.PraatError:  # too short to analyse
        return waveform
    fitted = np.zeros(len(waveform), np.float32)
    kept = min(len(waveform), len(changed))
    fitted[:kept] = changed[:kept]
    return fitted


def through_mp3(waveform: Samples, rng: np.random.Generator) -> Samples:  # noqa: ARG001
    """Encode as MP3 and decode, the codec's delay removed."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, waveform, audio.SAMPLE_RATE, format="MP3", subtype="MPEG_LAYER_III")
    file.seek(0)
    decoded, _ = soundfile.read(file, dtype="float32")
    shift = _delay(waveform, decoded)
    found = np.zeros(len(waveform), np.float32)
    kept = decoded[shift : shift + len(waveform)]
    found[: len(kept)] = kept
    return found


def _delay(waveform: Samples, decoded: Samples) -> int:
    """Samples by which ``decoded`` is late, from 0 on: where the two correlate most."""
    from scipy.signal import correlate

    size = min(len(waveform), 1 << 16)
    late = decoded[: size + _LONGEST_DELAY]
    correlation = correlate(late, waveform[:size], mode="full")[size - 1 : size + _LONGEST_DELAY]
    return int(correlation.argmax())


def change_level(waveform: Samples, rng: np.random.Generator, *, decibels: float) -> Samples:  # noqa: ARG001
    """A gain."""
    return waveform * np.float32(10 ** (decibels / 20))


def through_microphone(waveform: Samples, rng: np.random.Generator) -> Samples:  # noqa: ARG001
    """The response of a small headset, without delay."""
    from scipy.signal import fftconvolve, firwin2

    frequencies, decibels = zip(*_MICROPHONE, strict=True)
    response = firwin2(513, frequencies, [10 ** (value / 20) for value in decibels], fs=audio.SAMPLE_RATE)
    return np.asarray(fftconvolve(waveform, response, mode="same"), np.float32)


#: All that is tried, by name.
DISTORTIONS = {
    "noise_20_db": Distortion("white noise at 20 dB", partial(add_noise, snr=20.0)),
    "noise_10_db": Distortion("white noise at 10 dB", partial(add_noise, snr=10.0)),
    "speed_0.9": Distortion("speed 0.9", partial(change_speed, factor=0.9), keeps_time=False),
    "speed_1.1": Distortion("speed 1.1", partial(change_speed, factor=1.1), keeps_time=False),
    "pitch_down": Distortion("pitch 3 semitones down", partial(shift_pitch, semitones=-3.0)),
    "pitch_up": Distortion("pitch 3 semitones up", partial(shift_pitch, semitones=3.0)),
    "mp3": Distortion("MP3 and back", through_mp3),
    "level": Distortion("20 dB softer", partial(change_level, decibels=-20.0)),
    "microphone": Distortion("response of a small headset", through_microphone),
}
