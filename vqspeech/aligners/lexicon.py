"""Words of a text, and how words are said that an aligner's own dictionary does not have."""

from __future__ import annotations

import importlib
import os
import re
import unicodedata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from vqspeech.alignment import ARPABET
from vqspeech.errors import InputError, MissingExtraError

_STRESS = re.compile(r"[012]$")
_VARIANT = re.compile(r"\(\d+\)$")
_TOKEN = re.compile(r"\d[\d,]*(?:\.\d+)?|[^\W\d_]+(?:'[^\W\d_]+)*'?")


def words_of(text: str) -> list[str]:
    """The words of a transcript in lower case, without punctuation and accents, numbers written out.

    >>> words_of("Don't call it a café; it's 2 o'clock!")
    ["don't", 'call', 'it', 'a', 'cafe', "it's", 'two', "o'clock"]
    """
    plain = unicodedata.normalize("NFKD", text.replace("\u2019", "'")).casefold()
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    words: list[str] = []
    for token in _TOKEN.findall(plain):
        if token[0].isdigit():
            words += words_of(_spelt(token.replace(",", "")))
        else:
            words.append(token.rstrip("'"))
    return words


def _spelt(number: str) -> str:
    try:
        import inflect
    except ImportError as error:
        raise MissingExtraError("inflect", extra="align", purpose=f"the number {number} in a transcript") from error
    return str(inflect.engine().number_to_words(number, andword="and")).replace("-", " ")


def read_lexicon(path: str | os.PathLike[str]) -> dict[str, tuple[str, ...]]:
    """Read pronunciations, ``word PH ON EH0 MZ`` a line, as CMU's and Montreal's dictionaries have them.

    Stress is dropped, lines that begin with ``;;;`` or ``#`` are comments, and of several pronunciations the first
    counts.

    Raises:
        InputError: naming file and line, for a word without phones or a phone that is not one of ARPAbet's 39.
    """
    path = Path(path)
    lexicon: dict[str, tuple[str, ...]] = {}
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8 text: {error.reason}", where=path, hint="save it as UTF-8") from None
    for number, line in enumerate(text.splitlines(), 1):
        fields = line.split()
        if not fields or fields[0].startswith((";;;", "#")):
            continue
        phones = tuple(_STRESS.sub("", phone).lower() for phone in fields[1:])
        unknown = [phone for phone in phones if phone not in ARPABET]
        if not phones or unknown:
            raise InputError(
                f"{unknown[0]!r} is no phone" if unknown else f"the word {fields[0]!r} has no phones",
                where=path,
                line=number,
                hint=f"a line is a word and its phones, of: {' '.join(ARPABET)}",
            )
        lexicon.setdefault(_VARIANT.sub("", fields[0]).casefold(), phones)
    return lexicon


class Speller:
    """How an unknown English word is said, by g2p-en's network, loaded when first asked."""

    def __init__(self) -> None:
        self._network: Any = None

    def __call__(self, word: str) -> tuple[str, ...]:
        """The phones of a word, without stress.

        Raises:
            MissingExtraError: g2p-en is not installed.
            LookupError: the word has no letter of the network's alphabet.
        """
        letters = "".join(letter for letter in word if "a" <= letter <= "z")
        if not letters:
            raise LookupError(word)
        if self._network is None:
            self._network = _load()
        return tuple(_STRESS.sub("", phone).lower() for phone in self._network.predict(letters) if phone[0].isalpha())


def _load() -> Any:
    try:
        nltk: Any = importlib.import_module("nltk")
        # g2p-en asks the network for a dictionary and a tagger when imported. Neither is of use here, where the
        # dictionary has been looked into already and words come one by one, and an aligner must work offline.
        download, nltk.download = nltk.download, lambda *_, **__: False
        try:
            module: Any = importlib.import_module("g2p_en.g2p")
        finally:
            nltk.download = download
    except ImportError as error:
        raise MissingExtraError("g2p-en", extra="align", purpose="a word that is not in the dictionary") from error
    module.cmudict = SimpleNamespace(dict=dict)
    return module.G2p()
