"""Pairs of a source recording and a target speaker: a balanced choice, or those of converted files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from vqspeech.errors import InputError

if TYPE_CHECKING:
    from vqspeech.datadir import Utterance

Reader = Callable[[], NDArray[np.float32]]
Relation = Literal["same", "cross"]
Measure = Literal["conversion", "reconstruction"]

#: Pairs that are evaluated unless asked otherwise.
PAIRS = 48
#: Seconds that sources have where there is a choice: shorter ones hold little of a voice, longer ones take long.
SHORTEST, LONGEST = 2.0, 15.0


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


def read_recordings(folders: Sequence[str | Path]) -> list[Recording]:
    """The utterances of data directories; one that is in several is taken once."""
    from vqspeech.datadir import DataDir

    found: dict[str, Recording] = {}
    for folder in folders:
        for utterance in DataDir.read(folder):
            found.setdefault(utterance.id, _recording(utterance))
    return list(found.values())


def _recording(utterance: Utterance) -> Recording:
    from vqspeech import audio

    length = utterance.duration
    if length is None and utterance.start is not None and utterance.end is not None:
        length = utterance.end - utterance.start
    return Recording(
        utterance.id,
        utterance.speaker,
        lambda: audio.read(utterance.recording, start=utterance.start, end=utterance.end),
        text=utterance.text,
        gender=utterance.gender,
        duration=length,
    )


def by_speaker(recordings: Iterable[Recording]) -> dict[str, list[Recording]]:
    """Speaker -> recordings."""
    groups: dict[str, list[Recording]] = {}
    for one in recordings:
        groups.setdefault(one.speaker, []).append(one)
    return groups


def choose_pairs(
    sources: Sequence[Recording],
    references: Mapping[str, Sequence[Recording]],
    *,
    speakers: Sequence[str],
    measure: Measure,
    targets: Sequence[str] | None = None,
    number: int = PAIRS,
    seed: int = 0,
    where: str | None = None,
) -> list[Pair]:
    """A balanced set of pairs for a model.

    Args:
        sources: recordings to convert.
        references: target speaker -> recordings to compare with.
        speakers: those of the model.
        measure: with ``reconstruction``, each recording's target is its own speaker; otherwise never.
        targets: some of ``speakers``; all that have references if not given.
        number: how many pairs.
        seed: of the draw.
        where: the data, for errors.

    Raises:
        InputError: a target has no references, or there is no pair.
    """
    for name in targets or ():
        if name not in references:
            raise InputError(
                f"no recording of {name} to compare with",
                where=where,
                hint="name a data directory that has some with --references DIR",
            )
    targets = targets or [name for name in speakers if name in references]
    if not targets:
        raise InputError(
            f"no recording of any of the model's speakers ({', '.join(speakers[:4])} ...)",
            where=where,
            hint="name a data directory that has some with --references DIR",
        )
    fit = [one for one in sources if one.duration is None or SHORTEST <= one.duration <= LONGEST] or list(sources)
    reconstruction = measure == "reconstruction"
    candidates = []
    for target in targets:
        gender = references[target][0].gender
        for one in fit:
            if (one.speaker == target) == reconstruction:
                pair = Pair(one, target, relation(one.gender, gender), one.speaker in speakers)
                candidates.append(replace(pair, gender=None, seen=None) if reconstruction else pair)
    if not candidates:
        raise InputError(
            "no recording of the targets to reconstruct"
            if reconstruction
            else "no recording of another speaker than the targets",
            where=where,
            hint="give other data or other --targets",
        )
    return balanced(candidates, number, seed=seed)


def match_files(
    folder: Path,
    sources: Sequence[Recording],
    references: Mapping[str, Sequence[Recording]],
    *,
    measure: Measure,
    targets: Sequence[str] | None = None,
    number: int | None = None,
    seed: int = 0,
) -> tuple[list[Pair], dict[str, Reader]]:
    """The pairs whose converted files, ``<utterance>-<target>.wav`` or ``.flac``, are in a folder, and these files.

    Args:
        folder: with the files.
        sources: as for ``choose_pairs``.
        references: as for ``choose_pairs``.
        measure: as for ``choose_pairs``.
        targets: some of the speakers of ``references``; all if not given.
        number: how many pairs; all if not given.
        seed: of the draw.

    Raises:
        InputError: there is no such folder, or no file is of such a pair.
    """
    from vqspeech import audio

    if not folder.is_dir():
        raise InputError("no such folder", where=folder, hint="check the path")
    by_name = {one.name: one for one in sources}
    wanted = set(targets or references)
    candidates, unknown = [], []
    files: dict[str, Reader] = {}
    for file in sorted((*folder.glob("*.wav"), *folder.glob("*.flac"))):
        # Utterances and speakers may have hyphens in their names, so every split is tried.
        hyphens = [index for index, letter in enumerate(file.stem) if letter == "-"]
        named = [(file.stem[:at], file.stem[at + 1 :]) for at in hyphens]
        match = next(((u, t) for u, t in named if u in by_name and t in references), None)
        if match is None:
            unknown.append(file)
            continue
        source, target = by_name[match[0]], match[1]
        if target not in wanted or (source.speaker == target) != (measure == "reconstruction"):
            continue
        same = relation(source.gender, references[target][0].gender) if measure == "conversion" else None
        candidates.append(Pair(source, target, same))
        files[candidates[-1].name] = partial(audio.read, file)
    if not candidates:
        raise InputError(
            f"none of its files is a {measure} of the data's utterances"
            + (f" (e.g. {unknown[0].name})" if unknown else ""),
            where=folder,
            hint="name files <utterance>-<target>.wav, with ids of the data directories",
        )
    return balanced(candidates, len(candidates) if number is None else number, seed=seed), files
