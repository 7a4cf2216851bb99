"""Forced alignment of English by PocketSphinx, whose acoustic model and dictionary come in its package."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vqspeech.aligners.lexicon import Speller, words_of
from vqspeech.alignment import Interval, canonical
from vqspeech.errors import MissingExtraError

if TYPE_CHECKING:
    from pocketsphinx import Decoder

#: Samples and frames per second of the model.
RATE, FRAME_RATE = 16_000, 100
#: Seconds from where PocketSphinx counts a frame to where its sound begins: half of what the 25.6 ms window is longer
#: than the 10 ms step.
FRAME_OFFSET = 0.0078
#: For what fails at first. The word lattice of the first pass now and then leaves a path that the second cannot follow,
#: and the usual beams prune the right path of speech that is unlike the model's training data.
_PATIENCE = {"bestpath": False, "beam": 1e-80, "wbeam": 1e-60, "pbeam": 1e-80}
_SILENT_WORDS = ("<s>", "</s>", "<sil>", "sil", "(NULL)")
#: Marks a word whose pronunciation is not the dictionary's, so that it need not be replaced there.
_OWN = "~"
_PHONES = {"sil": "sil", "+spn+": "spn", "+nsn+": "spn"}


class AlignmentFailure(Exception):  # noqa: N818
    """An utterance that cannot be aligned; its text says why, for the list of those left out."""


class UnknownWordError(AlignmentFailure):
    """A word whose phones are not known; a lexicon can give them."""


@dataclass(frozen=True, slots=True)
class Aligned:
    """An utterance in time.

    Attributes:
        phones: the 39 of ARPAbet in small letters, ``sil`` and ``spn``, without gaps from start to end.
        words: without the pauses.
    """

    phones: list[Interval]
    words: list[Interval]


class Aligner:
    """Aligns utterances one at a time; making one loads the model, half a second.

    Args:
        lexicon: pronunciations that go before the package's own dictionary.

    Raises:
        MissingExtraError: pocketsphinx is not installed.
    """

    def __init__(self, lexicon: Mapping[str, tuple[str, ...]] | None = None) -> None:
        self._lexicon = dict(lexicon or {})
        self._speller = Speller()
        self._decoders: dict[bool, Decoder] = {}
        self._decoder(patient=False)

    def _decoder(self, *, patient: bool) -> Decoder:
        if patient not in self._decoders:
            try:
                from pocketsphinx import Decoder
            except ImportError as error:
                raise MissingExtraError("pocketsphinx", extra="align", purpose="forced alignment") from error
            self._decoders[patient] = Decoder(lm=None, loglevel="FATAL", **(_PATIENCE if patient else {}))
        return self._decoders[patient]

    def align(self, waveform: NDArray[np.float32], text: str) -> Aligned:
        """Find the words of ``text`` and their phones in the sound.

        Args:
            waveform: 16 kHz, shape ``(samples,)``.
            text: what is said.

        Raises:
            AlignmentFailure: there is no text or no sound, a word's phones are not known, or the text is not found.
        """
        words = words_of(text)
        if not words:
            raise AlignmentFailure("no words in its text")
        if len(waveform) < RATE // 10:
            raise AlignmentFailure(f"too short: {len(waveform) / RATE:.3f} s")
        samples = np.clip(np.rint(waveform * 32767), -32768, 32767).astype(np.int16).tobytes()
        reason = ""
        for patient in (False, True):
            decoder = self._decoder(patient=patient)
            names = self._names(decoder, words)
            try:
                return _intervals(_two_passes(decoder, samples, " ".join(names)), len(waveform) / RATE)
            except RuntimeError as error:
                reason = str(error)
        raise AlignmentFailure(f"the text is not found in the sound ({reason.strip() or 'no path'})")

    def _names(self, decoder: Decoder, words: list[str]) -> list[str]:
        """The words as they stand in the decoder, those of the lexicon and those spelt under names of their own."""
        names = {}
        for word in dict.fromkeys(words):
            if word not in self._lexicon and decoder.lookup_word(word) is not None:
                names[word] = word
                continue
            if word not in self._lexicon:
                try:
                    self._lexicon[word] = self._speller(word)
                except LookupError:
                    raise UnknownWordError(f"no pronunciation of {word!r}") from None
            names[word] = word + _OWN
            if decoder.lookup_word(names[word]) is None:
                decoder.add_word(names[word], " ".join(self._lexicon[word]).upper(), True)
        return [names[word] for word in words]


def _two_passes(decoder: Decoder, samples: bytes, text: str) -> Any:
    """PocketSphinx finds words first, and their phones in a second pass over the sound."""
    with warnings.catch_warnings():
        # Called unnecessary by PocketSphinx; but without it what is found depends on the utterances that came before.
        warnings.simplefilter("ignore", DeprecationWarning)
        decoder.start_stream()
    decoder.set_align_text(text)
    for second in (False, True):
        if second:
            decoder.set_alignment()
        decoder.start_utt()
        try:
            decoder.process_raw(samples, full_utt=True)
        finally:
            decoder.end_utt()
    found = decoder.get_alignment()
    if found is None or not any(True for _ in found):
        raise RuntimeError("no path")
    return found


def _time(frames: int) -> float:
    return frames / FRAME_RATE + FRAME_OFFSET if frames else 0.0


def _intervals(found: Any, duration: float) -> Aligned:
    phones: list[Interval] = []
    words: list[Interval] = []
    for word in found:
        start, end = _time(word.start), _time(word.start + word.duration)
        if word.name not in _SILENT_WORDS and not word.name.startswith("+"):
            # read(2) is the second pronunciation of read.
            words.append(Interval(start, min(end, duration), word.name.split("(")[0].removesuffix(_OWN)))
        for phone in word:
            label = _PHONES.get(phone.name.lower(), canonical(phone.name))
            end = min(_time(phone.start + phone.duration), duration)
            phones.append(Interval(min(_time(phone.start), duration), end, label))
    phones = [phone for phone in phones if phone.end > phone.start]
    if not phones or not words:
        raise RuntimeError("no phones")
    if phones[-1].label == "sil":
        phones[-1] = phones[-1]._replace(end=duration)
    elif phones[-1].end < duration:
        phones.append(Interval(phones[-1].end, duration, "sil"))
    return Aligned(phones, words)
