"""Text files with one row per line, of which a shard reads its own lines alone.

Text is divided by bytes: a shard has the lines that begin in its range of the file, and neither counts lines nor reads
those of others. So the time until a job begins does not grow with the corpus, and no job holds more than its own.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from vqspeech.encoding.row import ROW_HINT, Row
from vqspeech.errors import InputError, decoding

#: Bytes of a line, at most.
LONGEST_LINE = 1 << 20
#: Parts of a file, from its first to its last, that tell it from another, and their length in bytes.
_PARTS, _PART = 16, 1 << 12


def lines_of(path: Path, shard: int, shards: int) -> Iterator[tuple[int, bytes]]:
    """The lines of a text file that begin in a shard's range of its bytes, each with its place in bytes."""
    size = path.stat().st_size
    begin, end = size * (shard - 1) // shards, size * shard // shards
    with path.open("rb") as file:
        if begin:
            file.seek(begin - 1)
            # The line in which the range begins is another shard's, unless it begins there itself.
            while (raw := file.readline(LONGEST_LINE)) and not raw.endswith(b"\n"):
                pass
        place = file.tell()
        while place < end and (raw := file.readline(LONGEST_LINE)):
            if len(raw) == LONGEST_LINE and not raw.endswith(b"\n"):
                raise InputError(
                    f"a line of more than {LONGEST_LINE} bytes",
                    where=path,
                    line=number_of(path, place),
                    hint="is it a manifest?",
                )
            if raw.strip():
                yield place, raw
            place += len(raw)


def described_file(path: Path) -> str:
    """Length of a file and a checksum of parts of it, all of a small one: what a large one costs no time to tell."""
    size = path.stat().st_size
    checksum = 0
    with path.open("rb") as file:
        for part in range(_PARTS):
            file.seek(max(size - _PART, 0) * part // (_PARTS - 1))
            checksum = zlib.crc32(file.read(_PART), checksum)
    return f"{size} bytes, {checksum:08x}"


def number_of(path: Path, place: int) -> int:
    """The number of the line that begins at a byte: counted only for a message."""
    number = 1
    with path.open("rb") as file:
        while place > 0 and (block := file.read(min(place, 1 << 20))):
            number += block.count(b"\n")
            place -= len(block)
    return number


class Lines:
    """A text file with one row per line."""

    def __init__(self, path: Path, parse: Callable[[bytes], Row]) -> None:
        self.path, self.parse = path, parse

    @property
    def described(self) -> str:
        """See ``Rows``."""
        return f"{self.path.name}, {described_file(self.path)}"

    def of_shard(self, shard: int, shards: int) -> Iterator[Row]:
        """See ``Rows``."""
        for place, raw in lines_of(self.path, shard, shards):
            try:
                row = self.parse(raw)
            except InputError as error:
                raise in_line(error, self.path, number_of(self.path, place)) from None
            yield row


class CompressedLines(Lines):
    """The same compressed: lines are counted, for reading cannot begin in the middle."""

    def of_shard(self, shard: int, shards: int) -> Iterator[Row]:
        """See ``Rows``."""
        with (
            decoding("no gzip file", where=self.path, hint="copy it again from its source"),
            gzip.open(self.path, "rb") as file,
        ):
            count = sum(1 for _ in whole_lines(file, self.path))
        begin, end = count * (shard - 1) // shards, count * shard // shards
        with (
            decoding("no gzip file", where=self.path, hint="copy it again from its source"),
            gzip.open(self.path, "rb") as file,
        ):
            for number, raw in islice(enumerate(whole_lines(file, self.path), 1), begin, end):
                if not raw.strip():
                    continue
                try:
                    row = self.parse(raw)
                except InputError as error:
                    raise in_line(error, self.path, number) from None
                yield row


def whole_lines(file: Any, path: Path) -> Iterator[bytes]:
    """The lines of a file; raises InputError at one that is too long."""
    while raw := file.readline(LONGEST_LINE):
        if len(raw) == LONGEST_LINE and not raw.endswith(b"\n"):
            raise InputError(f"a line of more than {LONGEST_LINE} bytes", where=path, hint=ROW_HINT)
        yield raw


def in_line(error: InputError, path: Path, line: int) -> InputError:
    """The same error, of a line of a file."""
    return InputError(error.problem, where=path, line=line, hint=error.hint)
