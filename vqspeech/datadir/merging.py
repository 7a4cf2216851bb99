"""What jobs made of the shards of a data directory, joined as if one job had made it."""

from __future__ import annotations

from pathlib import Path

from vqspeech.errors import InputError
from vqspeech.files import atomic_open, sidecar_path


def merge_shards(split: Path, target: Path, name: str, *, optional: bool = False) -> int:
    """Join the tables ``split/1/name``, ``split/2/name`` ... into ``target/name``, in the order of utterance ids.

    Any text table will do whose lines begin with an utterance id (``phones.ctm``, ``codes.txt``); lines of one
    utterance stay in their order. A ``.json`` beside each shard's table must be the same in all and is written too.

    Args:
        split: the folder of the shards, named 1 to N.
        target: the folder to write in.
        name: of the table, relative to each shard.
        optional: shards may lack it; where all do, an old one in ``target`` is removed.

    Returns:
        How many utterances the joined table has.

    Raises:
        InputError: a shard has no such table, an utterance is in two of them, or their ``.json`` differ.
    """
    files = [shard / name for shard in folders_of_shards(split)]
    if not optional:
        for file in files:
            if not file.is_file():
                raise InputError("this shard has none", where=file, hint="run the job that makes it, then join again")
    files = [file for file in files if file.is_file()]
    sidecar = _shared_sidecar(files)
    lines: dict[str, list[str]] = {}
    for file in files:
        added: dict[str, list[str]] = {}
        with file.open(encoding="utf-8", newline="\n") as rows:
            for number, line in enumerate(rows, 1):
                if not line.endswith("\n"):
                    raise InputError("cut short", where=file, line=number, hint="run the job that makes it again")
                utterance = line.split(maxsplit=1)[0] if line.strip() else ""
                if utterance in lines:
                    raise InputError(
                        f"utterance {utterance} is in another shard too",
                        where=file,
                        line=number,
                        hint="split the data directory again",
                    )
                added.setdefault(utterance, []).append(line)
        lines |= added
    if files:
        with atomic_open(target / name) as out:
            out.writelines(line for utterance in sorted(lines) for line in lines[utterance])
        if sidecar is not None:
            with atomic_open(sidecar_path(target / name), "wb") as out:
                out.write(sidecar)
    else:
        (target / name).unlink(missing_ok=True)
    return len(lines)


def folders_of_shards(split: Path) -> list[Path]:
    """The folders 1 to N in ``split``.

    Raises:
        InputError: there are none, or a number is missing.
    """
    numbers = sorted(int(folder.name) for folder in split.glob("[0-9]*") if folder.name.isdecimal())
    if not numbers:
        raise InputError("no shards, 1 to N, in it", where=split, hint="make them with vqspeech split --into N")
    if numbers != list(range(1, len(numbers) + 1)):
        missing = min(set(range(1, numbers[-1] + 1)) - set(numbers))
        raise InputError(f"shard {missing} is missing", where=split, hint="make them with vqspeech split --into N")
    return [split / str(number) for number in numbers]


def _shared_sidecar(files: list[Path]) -> bytes | None:
    """The ``.json`` that stands beside each file, the same in all; None if there is none."""
    contents = {file: sidecar_path(file) for file in files}
    known = {file: sidecar.read_bytes() for file, sidecar in contents.items() if sidecar.is_file()}
    if not known:
        return None
    first = next(iter(known.values()))
    for file, sidecar in contents.items():
        if known.get(file) != first:
            raise InputError(
                f"is not the same as {contents[files[0]]}", where=sidecar, hint="make all shards with one model"
            )
    return first
