"""Metrics of speech: speaker similarity, word errors, predicted quality (DNSMOS), F0 and mel-cepstral distortion.

Each stands in a file of its own and takes a waveform at 16 kHz; those that need a package of the extra ``judge`` say
so, and whoever asked goes on without them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from vqspeech.errors import MissingExtraError
from vqspeech.evaluation.metrics.asr import WordErrors
from vqspeech.evaluation.metrics.f0 import Contour

Name = Literal["similarity", "words", "quality", "pitch", "cepstra"]
NAMES: tuple[Name, ...] = get_args(Name)


class SpeakerEncoder(Protocol):
    """Embeds a voice.

    Attributes:
        name: for the report.
    """

    name: str

    def embed(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        """``(samples,)`` at 16 kHz -> ``(dimensions,)`` of length 1."""
        ...


class Recogniser(Protocol):
    """Transcribes speech, and counts word errors.

    Attributes:
        name: for the report.
    """

    name: str

    def transcribe(self, waveform: NDArray[np.float32]) -> str:
        """``(samples,)`` at 16 kHz -> words."""
        ...

    def errors(self, reference: str, transcript: str) -> WordErrors | None:
        """Errors of a transcript against the reference; None if the reference is empty."""
        ...


class QualityPredictor(Protocol):
    """Predicts the mean opinion score of listeners.

    Attributes:
        name: for the report.
    """

    name: str

    def score(self, waveform: NDArray[np.float32]) -> float:
        """``(samples,)`` at 16 kHz -> 1 (bad) to 5 (excellent)."""
        ...


@dataclass(frozen=True)
class MetricSet:
    """The installed metrics; those that are None are left out.

    Attributes:
        similarity: of voices.
        words: recogniser for the word error rate.
        quality: opinion score.
        pitch: waveform -> its F0 contour.
        cepstra: two waveforms of the same words -> distortion in dB.
        missing: a sentence on each that was wanted and is not installed, with the command that installs it.
    """

    similarity: SpeakerEncoder | None = None
    words: Recogniser | None = None
    quality: QualityPredictor | None = None
    pitch: Callable[[NDArray[np.float32]], Contour] | None = None
    cepstra: Callable[[NDArray[np.float32], NDArray[np.float32]], float] | None = None
    missing: tuple[str, ...] = ()


def load(
    names: Collection[Name] = NAMES, *, whisper: str | None = None, language: str = "en", threads: int = 1
) -> MetricSet:
    """Load the metrics that are wanted and installed.

    Args:
        names: which are wanted.
        whisper: a folder with a CTranslate2 model, or a name of faster-whisper; pocketsphinx if not given.
        language: of the speech, for Whisper.
        threads: for those that have such a setting.

    Raises:
        InputError: there is no such Whisper model.
    """
    found: dict[str, object] = {}
    missing = []
    for name in NAMES:
        if name not in names:
            continue
        try:
            found[name] = _call(name, whisper, language, threads)
        except MissingExtraError as error:
            missing.append(str(error))
    return MetricSet(**found, missing=tuple(missing))  # type: ignore[arg-type]


def _call(name: Name, whisper: str | None, language: str, threads: int) -> object:
    if name == "similarity":
        from vqspeech.evaluation.metrics.speaker_similarity import Resemblyzer

        return Resemblyzer()
    if name == "words":
        from vqspeech.evaluation.metrics.asr import FasterWhisper, PocketSphinx

        return FasterWhisper(whisper, language=language, threads=threads) if whisper else PocketSphinx()
    if name == "quality":
        from vqspeech.evaluation.metrics.dnsmos import DNSMOS

        return DNSMOS(threads=threads)
    if name == "pitch":
        from vqspeech.evaluation.metrics import f0 as pitch

        return pitch.contour
    from vqspeech.evaluation.metrics import mcd as cepstra

    return cepstra.distortion
