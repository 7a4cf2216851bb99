"""Speech recognition, and the word error rate by jiwer."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vqspeech.errors import InputError, MissingExtraError
from vqspeech.evaluation.metrics.text_normalisation import plain_words, whisper_normaliser

_PCM_16 = 32767


@dataclass(frozen=True, slots=True)
class WordErrors:
    """What a recogniser got wrong.

    Attributes:
        errors: words substituted, left out and put in.
        words: of the reference.
    """

    errors: int
    words: int

    @property
    def rate(self) -> float:
        """Word error rate; above 1 with many insertions."""
        return self.errors / self.words


class _Counting:
    """Counts word errors with jiwer, after Whisper's text normalisation.

    Args:
        language: of the text, which the normalisation depends on.

    Raises:
        MissingExtraError: jiwer or whisper-normalizer is not installed.
    """

    def __init__(self, language: str = "en") -> None:
        try:
            import jiwer  # noqa: F401
        except ImportError as error:
            raise MissingExtraError("jiwer", extra="judge", purpose="the word error rate") from error
        self._normalise = whisper_normaliser(language)

    def errors(self, reference: str, transcript: str) -> WordErrors | None:
        """Errors of a transcript against the reference, both normalised; None if the reference is empty."""
        import jiwer

        # Whisper's form keeps some marks, so that a reference of marks alone is looked at separately.
        reference = self._normalise(reference) if plain_words(reference) else ""
        if not reference:
            return None
        found = jiwer.process_words(reference, self._normalise(transcript))
        return WordErrors(found.substitutions + found.deletions + found.insertions, len(reference.split()))


class FasterWhisper(_Counting):
    """Whisper (Radford et al. 2022) run by CTranslate2.

    Args:
        model: a folder with a CTranslate2 model (``model.bin``, ``config.json``, ``tokenizer.json``, a vocabulary), or
            a name such as ``base.en``, which faster-whisper downloads.
        language: of the speech; models whose name ends in ``.en`` support one alone.
        threads: how many it may use.

    Raises:
        MissingExtraError: faster-whisper is not installed.
        InputError: the folder is no such model, or it cannot be downloaded.
    """

    def __init__(self, model: str, *, language: str = "en", threads: int = 1) -> None:
        try:
            from faster_whisper import WhisperModel
        except ImportError as error:
            raise MissingExtraError("faster-whisper", extra="judge", purpose="Whisper's word error rate") from error
        super().__init__(language)
        folder = Path(model)
        local = folder.exists() or os.sep in model
        if local:
            for name in ("model.bin", "config.json", "tokenizer.json"):
                if not (folder / name).is_file():
                    raise InputError(
                        f"no {name} in it",
                        where=folder,
                        hint="give a folder as faster-whisper downloads it, or a name such as base.en",
                    )
        try:
            self._model = WhisperModel(model, device="cpu", compute_type="int8", cpu_threads=threads)
        except Exception as error:  # the model hub's client and CTranslate2 have errors of their own for each cause
            reason = " ".join(str(error).split())[:200]
            raise InputError(
                f"Whisper cannot be loaded: {reason}",
                where=model,
                hint="give the folder of a CTranslate2 Whisper model" if not local else "download it again",
            ) from error
        self.name = f"faster-whisper {folder.name}"
        self._language = language if self._model.model.is_multilingual else "en"

    def transcribe(self, waveform: NDArray[np.float32]) -> str:
        """``(samples,)`` at 16 kHz -> words; always the same for the same waveform."""
        segments, _ = self._model.transcribe(
            waveform.astype(np.float32),
            language=self._language,
            beam_size=5,
            temperature=0.0,  # at higher ones it samples
            condition_on_previous_text=False,
            without_timestamps=True,
        )
        return " ".join(segment.text.strip() for segment in segments)


class PocketSphinx(_Counting):
    """The recogniser embedded in the package of that name: American English, many more errors than Whisper.

    Raises:
        MissingExtraError: it is not installed.
    """

    name = "pocketsphinx en-us"

    def __init__(self) -> None:
        try:
            from pocketsphinx import Decoder
        except ImportError as error:
            raise MissingExtraError("pocketsphinx", extra="align", purpose="the embedded word error rate") from error
        super().__init__()
        self._decoder = Decoder(loglevel="FATAL")

    def transcribe(self, waveform: NDArray[np.float32]) -> str:
        """``(samples,)`` at 16 kHz -> words."""
        pcm = (np.clip(waveform, -1, 1) * _PCM_16).astype("<i2")
        self._decoder.start_utt()
        self._decoder.process_raw(pcm.tobytes(), full_utt=True)
        self._decoder.end_utt()
        found = self._decoder.hyp()
        return found.hypstr if found else ""
