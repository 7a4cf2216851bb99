"""Recordings in and out: any file, pipe or stdin to a 16 kHz mono waveform, and back to WAV or FLAC; level of speech.

>>> waveform = audio.normalise_level(audio.read("a.mp3"))    # (samples,) float32 at 16 kHz
"""

from vqspeech.audio.level import SPEECH_RMS, active_rms, normalise_level, speech_mask, trim_silence
from vqspeech.audio.reading import LONGEST, duration, read
from vqspeech.audio.resampling import resample
from vqspeech.audio.waveform import SAMPLE_RATE
from vqspeech.audio.writing import write

__all__ = [
    "LONGEST",
    "SAMPLE_RATE",
    "SPEECH_RMS",
    "active_rms",
    "duration",
    "normalise_level",
    "read",
    "resample",
    "speech_mask",
    "trim_silence",
    "write",
]
