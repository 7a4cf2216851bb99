"""Whether there are words in speech that nobody said: what a recogniser makes of it, and how sure it is.

There is no text to compare with. A recogniser that has a language model writes words for any sound, so that the
share of them in a dictionary is little evidence alone; it is read beside reversed speech and shuffled codes, and
beside how sure the recogniser is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vqspeech import audio
from vqspeech.errors import InputError, MissingExtraError
from vqspeech.evaluation.metrics.asr import FasterWhisper
from vqspeech.evaluation.metrics.text_normalisation import plain_words

Waveform = NDArray[np.float32]
Reader = Callable[[], Waveform]
_PCM_16 = 32767


@dataclass(frozen=True, slots=True)
class Transcript:
    """What a recogniser wrote of one recording.

    Attributes:
        text: the words.
        log_probability: of all it wrote, natural logarithm.
        units: words or tokens that this is of.
        seconds: length of the recording.
    """

    text: str
    log_probability: float
    units: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Words:
    """What a recogniser wrote of a set of recordings; None where it wrote nothing.

    Attributes:
        in_dictionary: share of the words that are in a dictionary; None where the recogniser has no others.
        different: share of the words of a recording that did not stand earlier in its transcript, of all: a recogniser
            may write the same word over and over where there are none.
        words_per_second: how many it wrote.
        confidence: mean log-probability of a word (pocketsphinx) or token (Whisper), natural logarithm.
        of: name of a recording -> what was written.
    """

    in_dictionary: float | None
    different: float | None
    words_per_second: float
    confidence: float | None
    of: dict[str, str]


class Listener(Protocol):
    """Transcribes speech.

    Attributes:
        name: for the report.
        closed: whether it can only write words of the dictionary.
    """

    name: str
    closed: bool

    def listen(self, waveform: Waveform) -> Transcript:
        """``(samples,)`` at 16 kHz."""
        ...


class WhisperListener(FasterWhisper):
    """Whisper, with the mean log-probability of its tokens; arguments and errors as its base."""

    closed = False

    def listen(self, waveform: Waveform) -> Transcript:
        """``(samples,)`` at 16 kHz."""
        segments, _ = self._model.transcribe(
            waveform.astype(np.float32),
            language=self._language,
            beam_size=5,
            temperature=0.0,
            condition_on_previous_text=False,
            without_timestamps=True,
        )
        found = list(segments)
        return Transcript(
            " ".join(segment.text.strip() for segment in found),
            math.fsum(segment.avg_logprob * (len(segment.tokens) + 1) for segment in found),
            sum(len(segment.tokens) + 1 for segment in found),
            len(waveform) / audio.SAMPLE_RATE,
        )


class PocketSphinxListener:
    """The recogniser embedded in pocketsphinx, with its posterior probability of the whole.

    Raises:
        MissingExtraError: it is not installed.
    """

    name = "pocketsphinx en-us"
    closed = True

    def __init__(self) -> None:
        try:
            from pocketsphinx import Decoder
        except ImportError as error:
            raise MissingExtraError("pocketsphinx", extra="align", purpose="listening for words") from error
        self._decoder = Decoder(loglevel="FATAL")

    def listen(self, waveform: Waveform) -> Transcript:
        """``(samples,)`` at 16 kHz."""
        pcm = (np.clip(waveform, -1, 1) * _PCM_16).astype("<i2")
        self._decoder.start_utt()
        self._decoder.process_raw(pcm.tobytes(), full_utt=True)
        self._decoder.end_utt()
        found = self._decoder.hyp()
        text = found.hypstr if found else ""
        words = len(text.split())
        log = math.log(max(found.prob, np.finfo(np.float64).tiny)) if words else 0.0
        return Transcript(text, log, words, len(waveform) / audio.SAMPLE_RATE)


def dictionary(path: Path | None = None) -> frozenset[str]:
    """The words of a pronunciation dictionary, or of any list with a word at the beginning of each line.

    Args:
        path: the file; pocketsphinx's CMUdict (134 thousand English words) if not given.

    Raises:
        MissingExtraError: pocketsphinx is not installed, and no file was given.
        InputError: the file is no text, or holds no words.
        OSError: it cannot be read.
    """
    if path is None:
        try:
            import pocketsphinx
        except ImportError as error:
            raise MissingExtraError(
                "pocketsphinx", extra="align", purpose="the share of words in a dictionary"
            ) from error
        path = Path(pocketsphinx.get_model_path()) / "en-us" / "cmudict-en-us.dict"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise InputError("no UTF-8 text", where=path, hint="give a list of words, one per line") from error
    entries = {line.split()[0].partition("(")[0] for line in lines if line.strip()}
    # Words as a normalised transcript has them; an entry of several, such as one with a hyphen, counts as each.
    words = frozenset(word for entry in entries for word in plain_words(entry).split())
    if not words:
        raise InputError("no words in it", where=path, hint="give a list of words, one per line")
    return words


def listen(
    recordings: Mapping[str, Reader],
    listener: Listener,
    known: Collection[str] | None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Words:
    """Transcribe recordings, brought to one level first, and count the words.

    Args:
        recordings: name -> what gives ``(samples,)`` at 16 kHz.
        listener: the recogniser.
        known: words of the dictionary; None leaves their share out.
        progress: called with recordings done and recordings in all.
    """
    transcribed = []
    for done, read in enumerate(recordings.values(), 1):
        transcribed.append(listener.listen(audio.normalise_level(read())))
        if progress:
            progress(done, len(recordings))
    transcripts = [plain_words(one.text).split() for one in transcribed]
    words = [word for transcript in transcripts for word in transcript]
    units = sum(one.units for one in transcribed)
    share = sum(word in known or word.isdigit() for word in words) / len(words) if words and known is not None else None
    return Words(
        in_dictionary=None if listener.closed else share,
        different=sum(len(set(transcript)) for transcript in transcripts) / len(words) if words else None,
        words_per_second=len(words) / max(sum(one.seconds for one in transcribed), 1e-9),
        confidence=math.fsum(one.log_probability for one in transcribed) / units if units else None,
        of={name: one.text for name, one in zip(recordings, transcribed, strict=True)},
    )
