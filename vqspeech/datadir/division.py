"""Data directories joined into one, or one divided into parts."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from vqspeech.counts import counted
from vqspeech.datadir.directory import DataDir, Utterance
from vqspeech.errors import InputError
from vqspeech.files import atomic_open


def combine(dirs: Sequence[DataDir]) -> DataDir:
    """All utterances of several directories; one that is in two of them, equal in all, is taken once.

    Raises:
        InputError: the same id stands for two utterances, recordings or genders.
    """
    utterances: dict[str, Utterance] = {}
    recordings: dict[str, str] = {}
    genders: dict[str, str] = {}
    for data in dirs:
        for u in data:
            if utterances.setdefault(u.id, u) != u:
                raise _conflict(data, f"utterance {u.id} differs from the one of that id in another directory")
            if recordings.setdefault(u.recording_id or u.id, u.recording) != u.recording:
                raise _conflict(data, f"recording {u.recording_id or u.id} is another one in another directory")
            if u.gender and genders.setdefault(u.speaker, u.gender) != u.gender:
                raise _conflict(data, f"speaker {u.speaker} has another gender in another directory")
    return DataDir(utterances.values())


def _conflict(data: DataDir, problem: str) -> InputError:
    return InputError(problem, where=data.path, hint="rename it in one of them, its speaker id in front")


def split(
    data: DataDir,
    *,
    by: Literal["speaker", "utterance"],
    parts: Mapping[str, float],
    seed: int = 0,
    at_least: int = 0,
    key: Callable[[Utterance], str] | None = None,
) -> dict[str, DataDir]:
    """Divide a directory by a hash of each speaker's or utterance's id.

    Where an id goes depends on the id, ``parts`` and ``seed`` only, so that utterances added later move none of those
    that were there. ``at_least`` alone looks at the others: see there.

    Args:
        data: the directory.
        by: keep each speaker in one part, or share every speaker among the parts.
        parts: name -> share; the shares are positive and add up to 1. The first part is the one that gives.
        seed: another seed makes another division.
        at_least: by utterance, where a speaker has fewer utterances than this in a part, the nearest (by hash) are
            lent to it from the first part. Such a loan, and nothing else, may end when utterances are added. A
            speaker who has not more than twice as many as were promised to all the other parts lends none.
        key: what to hash of an utterance instead of its id; utterances of equal key go to the same part.

    Raises:
        InputError: the shares do not add up to 1, or an argument is out of range.
    """
    if not parts or min(parts.values()) < 0 or not abs(sum(parts.values()) - 1) <= 1e-6:
        raise InputError(f"shares {dict(parts)} do not add up to 1", hint="give shares such as train=0.9 test=0.1")
    if by not in ("speaker", "utterance"):
        raise InputError(f"cannot split by {by!r}", hint="split by 'speaker' or by 'utterance'")
    if key is None:
        key = _speaker if by == "speaker" else _id
    position = {u.id: _position(key(u), seed) for u in data}
    bounds = _bounds(parts)
    home = {u.id: next(name for name, (_, high) in bounds.items() if position[u.id] < high) for u in data}
    if by == "utterance" and at_least > 0:
        for group in data.by_speaker().values():
            _lend([u.id for u in group], home, position, bounds, at_least)
    return {name: data.subset(lambda u, name=name: home[u.id] == name) for name in parts}  # type: ignore[misc]


def shards(data: DataDir, number: int) -> list[DataDir]:
    """Cut a directory into shards of consecutive utterances, their sizes apart by one at most.

    Args:
        data: the directory.
        number: how many shards, at most one per utterance.

    Raises:
        InputError: there are fewer utterances than shards wanted.
    """
    if not 1 <= number <= len(data):
        raise InputError(
            f"{counted(len(data), 'utterance')} cannot be cut into {counted(number, 'shard')}",
            where=data.path,
            hint="ask for fewer shards",
        )
    bounds = [len(data) * index // number for index in range(number + 1)]
    return [DataDir(data.utterances[low:high], data.path) for low, high in itertools.pairwise(bounds)]


def _speaker(utterance: Utterance) -> str:
    return utterance.speaker


def _id(utterance: Utterance) -> str:
    return utterance.id


def _position(key: str, seed: int) -> float:
    """A place in [0, 1) that looks random and depends on the key and the seed only."""
    digest = hashlib.sha256(f"{seed} {key}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def _bounds(parts: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    """Each part's interval of [0, 1); the last that has a share ends past 1, so that rounding leaves no gap."""
    bounds = {}
    low = 0.0
    for name, share in parts.items():
        bounds[name] = (low, low + share)
        low += share
    last = [name for name, share in parts.items() if share > 0][-1]
    bounds[last] = (bounds[last][0], 2.0)
    return bounds


def _lend(
    ids: list[str],
    home: dict[str, str],
    position: dict[str, float],
    bounds: dict[str, tuple[float, float]],
    at_least: int,
) -> None:
    """Move one speaker's utterances from the first part to those that have too few, nearest hash first."""
    giver, *takers = [name for name, (low, high) in bounds.items() if high > low]
    if len(ids) <= 2 * at_least * len(takers):
        return
    for taker in takers:
        low = bounds[taker][0]
        spare = sorted((i for i in ids if home[i] == giver), key=lambda i: (abs(position[i] - low), i))
        lacking = at_least - sum(home[i] == taker for i in ids)
        for i in spare[: max(0, min(lacking, len(spare) - 1))]:
            home[i] = taker


def copy_phones(sources: Sequence[Path], target: Path, data: DataDir) -> int:
    """Write ``phones.ctm`` in ``target`` with the lines of the sources' that belong to utterances of ``data``.

    Returns:
        How many utterances have phones; no file is written, and an old one removed, when none has.
    """
    lines: dict[str, list[str]] = {}
    for source in sources:
        if not (source / "phones.ctm").is_file():
            continue
        for line in (source / "phones.ctm").read_text(encoding="utf-8").splitlines():
            name = line.split(maxsplit=1)[0] if line.strip() else ""
            if name in data:
                lines.setdefault(name, []).append(line)
    if lines:
        with atomic_open(target / "phones.ctm") as file:
            file.writelines(f"{line}\n" for name in sorted(lines) for line in dict.fromkeys(lines[name]))
    else:
        (target / "phones.ctm").unlink(missing_ok=True)
    return len(lines)
