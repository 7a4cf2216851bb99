"""Which voice is meant: the name of one speaker, or a blend of several such as ``anna:0.7,bert:0.3``."""

from __future__ import annotations

import difflib
import math
import os
import re
from collections.abc import Sequence

from vqspeech.errors import InputError

#: How a blend is written, for messages.
EXAMPLE = "anna:0.7,bert:0.3"


def parse_voice(text: str, speakers: Sequence[str], *, where: str | os.PathLike[str] | None = None) -> dict[str, float]:
    """Read a voice.

    Args:
        text: a speaker's name, or names with weights, ``NAME:WEIGHT,NAME:WEIGHT``.
        speakers: the names there are.
        where: the model they are of, for the message.

    Returns:
        The share of each speaker named, in the order given; the shares add up to 1.

    Raises:
        InputError: a speaker is unknown (the hint has the nearest names) or named twice, or a weight is missing or
            not a positive number.
    """
    if text in speakers or not re.search("[:,]", text):
        require_speaker(text, speakers, where=where)
        return {text: 1.0}
    weights: dict[str, float] = {}
    for part in text.split(","):
        name, _, weight = part.strip().rpartition(":")
        if not name:
            raise InputError(f"no weight for {weight!r} in {text!r}", hint=f"write a blend as {EXAMPLE}")
        require_speaker(name, speakers, where=where)
        if name in weights:
            raise InputError(f"{name!r} is there twice in {text!r}", hint="add its weights up")
        weights[name] = _weight(weight, text)
    largest = max(weights.values())
    # Divided twice, so that no sum of large weights overflows and equal weights are equal shares whatever their size.
    shares = {name: weight / largest for name, weight in weights.items()}
    total = math.fsum(shares.values())
    return {name: share / total for name, share in shares.items()}


def voice_label(text: str) -> str:
    """A voice as a part of a file's name: ``anna``, or ``anna-0.7+bert-0.3``."""
    return text.replace(" ", "").replace(":", "-").replace(",", "+")


def is_voice_label(label: str, speakers: Sequence[str]) -> bool:
    """Whether ``label`` is what ``voice_label`` makes of one of the speakers or of a blend of them."""

    def named(part: str) -> bool:
        name, _, weight = part.rpartition("-")
        return part in speakers or (name in speakers and re.fullmatch(r"[\d.eE]+", weight) is not None)

    return label in speakers or all(named(part) for part in label.split("+"))


def require_speaker(name: str, speakers: Sequence[str], *, where: str | os.PathLike[str] | None = None) -> None:
    """Refuse a name that is not among the speakers.

    Raises:
        InputError: its hint has the nearest names; or as ``require_voices``.
    """
    if name in speakers:
        return
    require_voices(speakers, where=where)
    near = difflib.get_close_matches(name, speakers, n=3, cutoff=0.4)
    raise InputError(
        f"no speaker {name!r}" + (f"; nearest: {', '.join(near)}" if near else ""),
        where=where,
        hint="vqspeech speakers lists them",
    )


def require_voices(speakers: Sequence[str], *, where: str | os.PathLike[str] | None = None) -> None:
    """Refuse a model without voices, such as the packaged ``units``.

    Raises:
        InputError: there are no speakers.
    """
    if not speakers:
        raise InputError(
            "this model has units only, and no voices",
            where=where,
            hint="vqspeech models lists the packaged models and how many voices each has",
        )


def _weight(text: str, blend: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = math.nan
    if not (weight > 0 and math.isfinite(weight)):
        raise InputError(f"{text!r} is no weight in {blend!r}", hint="weights are positive numbers")
    return weight
