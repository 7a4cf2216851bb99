"""Lines of label files, and numbers in them, with faults named by file and line."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from vqspeech.errors import InputError


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """Line numbers, from 1, and lines without their ends; UTF-8 or UTF-16 by the byte order mark.

    Raises:
        InputError: what is no text.
        OSError: the file cannot be read.
    """
    with path.open("rb") as probe:
        utf16 = probe.read(2) in (b"\xff\xfe", b"\xfe\xff")
    line = 0
    try:
        with path.open(encoding="utf-16" if utf16 else "utf-8-sig") as file:
            for line, text in enumerate(file, 1):
                if "\0" in text:
                    raise InputError("no text", where=path, line=line, hint="is this an alignment?")
                yield line, text.rstrip("\r\n")
    except UnicodeError as error:
        raise InputError(
            "neither UTF-8 nor UTF-16 text", where=path, line=line + 1, hint="is this an alignment?"
        ) from error


def number(word: str, name: str, path: Path, line: int, hint: str) -> float:
    """A finite number; an InputError says which field of which line is none."""
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{name} {word!r} is no number", where=path, line=line, hint=hint)
    return value
