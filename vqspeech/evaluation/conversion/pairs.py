"""Recordings and the voices they are to be given: a balanced set of pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Reader = Callable[[], NDArray[np.float32]]
Relation = Literal["same", "cross"]


@dataclass(frozen=True, slots=True)
class Recording:
    """Speech to be scored.

    Attributes:
        name: no two recordings that differ have the same.
        speaker: who speaks.
        read: gives the waveform, ``(samples,)`` at 16 kHz.
        text: what is said, where known.
        gender: the speaker's, ``m`` or ``f``, where known.
        duration: seconds, where known.
    """

    name: str
    speaker: str
    read: Reader = field(compare=False)
    text: str | None = None
    gender: str | None = None
    duration: float | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """A recording and the speaker whose voice it is to have.

    Attributes:
        source: the recording.
        target: the speaker.
        gender: whether the two speakers are of the same; None where that is not known.
        seen: whether the system was trained on the source's speaker; None where that is not known.
    """

    source: Recording
    target: str
    gender: Relation | None = None
    seen: bool | None = None

    @property
    def name(self) -> str:
        """``utterance-target``, the stem of the converted file."""
        return f"{self.source.name}-{self.target}"


def balanced(candidates: Iterable[Pair], number: int, *, seed: int = 0) -> list[Pair]:
    """Draw pairs so that targets, genders, known and unknown sources, speakers and utterances occur alike.

    One pair after the other: of the targets drawn least so far the one whose kind (gender, seen), then source speaker
    for this target, then source speaker at all, then utterance was drawn least; what is still equal is decided by the
    seed.

    Args:
        candidates: those to draw from.
        number: how many; all there are, if fewer.
        seed: the same seed draws the same pairs from the same candidates.
    """
    generator = np.random.default_rng(seed)
    groups: dict[tuple[str, str], list[Pair]] = {}
    for pair in candidates:
        groups.setdefault((pair.target, pair.source.speaker), []).append(pair)
    for group in groups.values():
        generator.shuffle(group)
    names = sorted(groups)
    generator.shuffle(names)
    times: dict[Any, int] = {}

    def counts(*keys: Any) -> list[int]:
        return [times.get(key, 0) for key in keys]

    drawn: list[Pair] = []
    while names and len(drawn) < number:

        def rarity(name: tuple[str, str]) -> list[int]:
            target, source = name
            first = groups[name][0]
            kind = (first.gender, first.seen)
            return counts(("target", target), ("kind", target, kind), ("kind", kind), name, ("source", source))

        chosen = min(names, key=rarity)
        pair = min(groups[chosen], key=lambda one: times.get(("utterance", one.source.name), 0))
        groups[chosen].remove(pair)
        if not groups[chosen]:
            names.remove(chosen)
        drawn.append(pair)
        target, source = chosen
        kind = (pair.gender, pair.seen)
        for key in (
            ("target", target),
            ("kind", target, kind),
            ("kind", kind),
            ("source", source),
            chosen,
            ("utterance", pair.source.name),
        ):
            times[key] = times.get(key, 0) + 1
    return drawn


def relation(first: str | None, second: str | None) -> Relation | None:
    """Of two genders."""
    if first is None or second is None:
        return None
    return "same" if first == second else "cross"
