"""The options of a request, each checked against the range that the command line has for it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from vqspeech import ranges
from vqspeech.web.refusals import Refused

#: Characters of a voice at most: a blend of all speakers of a large model.
_LONGEST_VOICE = 4000


def number(given: Mapping[str, str], name: str, allowed: ranges.Whole | ranges.Real, default: Any) -> Any:
    """A number of a query.

    Raises:
        Refused: it is none, or out of its range.
    """
    text = given.get(name)
    if text is None:
        return default
    try:
        return allowed(text)
    except argparse.ArgumentTypeError as error:
        raise Refused(f"{name.replace('_', ' ')}: {error}") from None


def choice(given: Mapping[str, str], name: str, allowed: tuple[str, ...], default: str) -> str:
    """One of several words.

    Raises:
        Refused: another one.
    """
    word = given.get(name, default)
    if word not in allowed:
        raise Refused(f"{name}: {word[:40]!r} is none of {', '.join(allowed)}")
    return word


def voice(given: Mapping[str, str]) -> str:
    """The voice that is asked for, not yet looked up.

    Raises:
        Refused: there is none.
    """
    text = given.get("speaker", "").strip()
    if not text or len(text) > _LONGEST_VOICE:
        raise Refused("choose a voice")
    return text
