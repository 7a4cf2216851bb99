"""Normalisation of text: Whisper's before word errors, so that they compare with published ones, and plain words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from vqspeech.errors import MissingExtraError

_APOSTROPHES = "'`\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}"


def whisper_normaliser(language: str) -> Callable[[str], str]:
    """Whisper's text normalisation (Radford et al. 2022, appendix C): numbers, spelling, contractions, fillers.

    Args:
        language: a code; other languages than ``en`` get the basic form, which treats case and marks alone.

    Raises:
        MissingExtraError: whisper-normalizer is not installed.
    """
    try:
        from whisper_normalizer.basic import BasicTextNormalizer
        from whisper_normalizer.english import EnglishTextNormalizer
    except ImportError as error:
        raise MissingExtraError("whisper-normalizer", extra="judge", purpose="the word error rate") from error
    normalise = EnglishTextNormalizer() if language == "en" else BasicTextNormalizer()
    return lambda text: " ".join(normalise(text).split())


def plain_words(text: str) -> str:
    """``"O'Hara's [noise] café!"`` -> ``"oharas cafe"``.

    Lower case; accents, apostrophes and what stands in brackets (a recogniser's ``[noise]``) dropped, other marks
    turned into spaces. Used to look words up and to tell whether two texts are the same, not before word errors.
    """
    # Twice: a letter may come out of a sign (the one for "service mark"), and a mark off a letter made small.
    text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).lower())
    text = re.sub(r"[\[(<][^\])>]*[\])>]", " ", text)
    text = "".join(c for c in text if not unicodedata.combining(c) and c not in _APOSTROPHES)
    return " ".join(re.sub(r"[^\w]|_", " ", text).split())
