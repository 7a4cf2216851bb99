"""Binary codes as one memory map, and the joining of shards into one."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from vqspeech.codes.archive import CodeInfo, PathLike, format_line, read_info
from vqspeech.codes.binary import AT_ONCE, HEADER, LONGEST_ID, RECORD, code_type, header, open_array
from vqspeech.codes.repeats import Repeats
from vqspeech.codes.shard import shard_name
from vqspeech.errors import InputError, decoding
from vqspeech.files import atomic_open


class MappedCodes:
    """Binary codes that are read as they are used: any number of them, in no memory of the process's own.

    >>> units = MappedCodes("joined")                   # doctest: +SKIP
    >>> for name, codes in units.items(): ...           # doctest: +SKIP
    >>> units["p225_001"]                               # doctest: +SKIP

    Args:
        path: a folder with ``codes.npy``, or that file, or a shard's.

    Attributes:
        info: codebook size and frame times.
        codes: all codes, ``(codes,)``.
        index: records of ``offset``, ``length``, ``seconds`` and ``id``, ``(utterances,)``.
        ids_file: the ids, a line each.

    Raises:
        InputError: a file is missing, cut short, or they do not belong together.
    """

    def __init__(self, path: PathLike) -> None:
        path = Path(path)
        self.path = path / "codes.npy" if path.is_dir() else path
        base = self.path.name.removesuffix(".npy")
        # read_info takes the JSON beside a text file of the same name.
        self.info = read_info(self.path.with_name(f"{base}.txt"))
        self.codes = open_array(self.path, code_type(self.info.codebook_size))
        self.index = open_array(self.path.with_name(f"{base}.index.npy"), RECORD)
        self.ids_file = self.path.with_name(f"{base}.ids")
        self._check()

    def _check(self) -> None:
        if not self.ids_file.is_file():
            raise InputError("no such file", where=self.ids_file, hint="encode again, or join again")
        last = self.index[-1] if len(self.index) else np.zeros((), RECORD)
        size = self.ids_file.stat().st_size
        if int(last["offset"]) + int(last["length"]) != len(self.codes) or (size > int(last["id"])) != (
            len(self.index) > 0
        ):
            raise InputError("codes, index and ids do not belong together", where=self.path, hint="join again")

    def __len__(self) -> int:
        return len(self.index)

    def sequence(self, place: int) -> NDArray[Any]:
        """The codes of the utterance in a place, ``(frames,)``, still on the disk."""
        record = self.index[place]
        begin, length = int(record["offset"]), int(record["length"])
        if begin + length > len(self.codes):
            raise InputError(f"utterance {place} ends behind the codes", where=self.path, hint="join again")
        return self.codes[begin : begin + length]

    def ids(self) -> Iterator[str]:
        """The ids, in order."""
        with self.ids_file.open("rb") as lines, decoding("no UTF-8 text", where=self.ids_file, hint="join again"):
            for number in range(len(self)):
                raw = lines.readline(LONGEST_ID + 2)
                if not raw.endswith(b"\n"):
                    raise InputError("cut short", where=self.ids_file, line=number + 1, hint="join again")
                yield raw[:-1].decode()

    def items(self) -> Iterator[tuple[str, NDArray[Any]]]:
        """Each id and its codes, in order."""
        for place, name in enumerate(self.ids()):
            yield name, self.sequence(place)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.ids())}

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.sequence(self._places[name])


def mapped_file(path: Path) -> Path | None:
    """The ``.npy`` of binary codes that ``path``, their folder or the file itself, is; None if it is something else."""
    file = path / "codes.npy" if path.is_dir() else path
    base = file.name.removesuffix(".npy")
    beside = [file.with_name(f"{base}{suffix}") for suffix in (".index.npy", ".ids")]
    return file if base != file.name and all(other.is_file() for other in beside) else None


def shard_count(folder: Path) -> int:
    """Of how many shards the finished ones in a folder are.

    Raises:
        InputError: there are none, or several sets of them.
    """
    names = (re.fullmatch(r"codes\.\d{5}-of-(\d{5})\.json", path.name) for path in folder.glob("codes.*-of-*.json"))
    counts = sorted({int(found[1]) for found in names if found})
    if not counts:
        raise InputError("no finished shards in it", where=folder, hint="vqspeech encode SRC --out DIR --shards N")
    if len(counts) > 1:
        raise InputError(
            f"shards of several sets, {' and '.join(map(str, counts))}", where=folder, hint="say which: --shards N"
        )
    return counts[0]


def join_shards(
    folder: PathLike, dest: PathLike, *, shards: int | None = None, text: bool = False, jsonl: bool = False
) -> MappedCodes:
    """Join the shards in ``folder`` to one set of codes, the same to the byte whatever their number was.

    Args:
        folder: with the finished shards.
        dest: the folder to write ``codes.npy``, ``codes.index.npy``, ``codes.ids`` and ``codes.json`` in.
        shards: how many there are; None finds out.
        text: write ``codes.txt``, too.
        jsonl: write ``codes.jsonl``, too: ``{"file": id, "units": [...]}``.

    Raises:
        InputError: a shard is missing or damaged, they are of several models or sources, an id is in them twice, or
            ``dest`` has text of other codes that is not to be written anew.
    """
    folder, dest = Path(folder), Path(dest)
    count = shard_count(folder) if shards is None else shards
    names = [shard_name(number, count) for number in range(1, count + 1)]
    info, failed = _common(folder, names)
    parts = [MappedCodes(folder / f"{name}.npy") for name in names]
    _require_distinct(parts)
    codes, utterances = sum(len(part.codes) for part in parts), sum(map(len, parts))
    counts = {"utterances": utterances, "codes": codes, "failed": failed}
    _require_no_other_text(dest, info.identity | counts, {"codes.txt": text, "codes.jsonl": jsonl})
    with ExitStack() as stack:
        out = {
            suffix: stack.enter_context(atomic_open(dest / f"codes{suffix}", "wb"))
            for suffix in (".npy", ".index.npy", ".ids")
        }
        out[".npy"].write(header(code_type(info.codebook_size), codes))
        out[".index.npy"].write(header(RECORD, utterances))
        first = 0
        for name, part in zip(names, parts, strict=True):
            _copy(folder / f"{name}.npy", out[".npy"], skip=HEADER)
            _copy_index(part, out[".index.npy"], first, out[".ids"].tell())
            _copy(folder / f"{name}.ids", out[".ids"])
            first += len(part.codes)
        for file in out.values():
            file.flush()  # where the disk is full, what was joined before stays
        (dest / "codes.json").unlink(missing_ok=True)  # killed between two of the names, there are no codes at all
    _copy_failed(folder, names, dest / "codes.failed")
    index = open_array(dest / "codes.index.npy", RECORD)
    blocks = (index["seconds"][place : place + AT_ONCE] for place in range(0, utterances, AT_ONCE))
    facts = {**asdict(info), **counts, "seconds": math.fsum(map(np.sum, blocks))}
    with atomic_open(dest / "codes.json") as file:
        file.write(json.dumps(facts, indent=2) + "\n")
    joined = MappedCodes(dest)
    if text:
        with atomic_open(dest / "codes.txt") as file:
            file.writelines(format_line(name, sequence) + "\n" for name, sequence in joined.items())
    if jsonl:
        with atomic_open(dest / "codes.jsonl") as file:
            for name, sequence in joined.items():
                file.write(json.dumps({"file": name, "units": sequence.tolist()}) + "\n")
    return joined


def _common(folder: Path, names: list[str]) -> tuple[CodeInfo, int]:
    """What all shards say of model and source, and how many utterances could not be used."""
    missing = [name for name in names if not (folder / f"{name}.json").is_file()]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise InputError(
            f"{missing[0]}{more} of {len(names)} not finished", where=folder, hint="run vqspeech encode for it again"
        )
    first: tuple[CodeInfo, object] | None = None
    failed = 0
    for name in names:
        file = folder / f"{name}.json"
        info = read_info(folder / f"{name}.txt")
        with decoding("not the facts of a shard", where=file, hint="encode it again"):
            facts = json.loads(file.read_text(encoding="utf-8"))
            described, failed = facts["described"], failed + int(facts["failed"])
        if first is None:
            first = info, described
        if first[0].identity != info.identity:
            raise InputError(f"of another model than {names[0]}", where=file, hint="make all shards with one model")
        if first[1] != described:
            raise InputError(f"of another source than {names[0]}", where=file, hint="make all shards of one source")
    if first is None:
        raise InputError("no shards", where=folder, hint="give --shards N, at least 1")
    return first[0], failed


def _require_no_other_text(dest: Path, facts: dict[str, object], written: dict[str, bool]) -> None:
    """Refuse to leave text of other codes beside new ones, whose ``codes.json`` would be taken for its own."""
    left = [name for name, anew in written.items() if not anew and (dest / name).exists()]
    if not left:
        return
    try:
        known = json.loads((dest / "codes.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = None
    if not isinstance(known, dict) or {name: known.get(name) for name in facts} != facts:
        option = "--text" if left[0] == "codes.txt" else "--jsonl"
        hint = f"give {option} to write it anew, or remove it"
        raise InputError("of other codes than these shards", where=dest / left[0], hint=hint)


def _require_distinct(parts: list[MappedCodes]) -> None:
    """Refuse an id that is there twice; takes eight bytes per utterance."""
    repeats = Repeats()
    for part in parts:
        for name in part.ids():
            repeats.add(name)
    named = ((name, (name, part, number)) for part in parts for number, name in enumerate(part.ids(), 1))
    for (name, part, number), (_, other, later) in repeats.pairs(named):
        both = f"line {number} of {part.ids_file.name} and {later} of {other.ids_file.name}"
        hint = "give each row of the source an id of its own (vqspeech validate names all that share one)"
        raise InputError(f"utterance {name} is there twice: {both}", where=part.path.parent, hint=hint)


def _copy(source: Path, out: IO[bytes], skip: int = 0) -> None:
    with source.open("rb") as file:
        file.seek(skip)
        shutil.copyfileobj(file, out, 1 << 22)


def _copy_index(part: MappedCodes, out: IO[bytes], first: int, first_id: int) -> None:
    for place in range(0, len(part), AT_ONCE):
        records = np.array(part.index[place : place + AT_ONCE])
        records["offset"] += np.uint64(first)
        records["id"] += np.uint64(first_id)
        out.write(records.tobytes())


def _copy_failed(folder: Path, names: list[str], target: Path) -> None:
    files = [file for name in names if (file := folder / f"{name}.failed").is_file()]
    if not files:
        target.unlink(missing_ok=True)
        return
    with atomic_open(target, "wb") as out:
        for file in files:
            _copy(file, out)
