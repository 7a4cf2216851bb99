"""The rows of a source that is encoded: read in order, and each shard's stretch of them without those before it.

Text is cut by bytes: a shard has the lines that begin in its stretch of the file, and neither counts lines nor reads
those of others. So the time until a job begins does not grow with the corpus, and no job holds more than its own.
"""

from __future__ import annotations

import gzip
import json
import math
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from vqspeech.codes.binary import id_fault
from vqspeech.encoding.member import Member
from vqspeech.errors import InputError, MissingExtraError, decoding, located
from vqspeech.files import atomic_open
from vqspeech.pipes import Pipe, recording

#: Bytes of a line, at most.
_LONGEST_LINE = 1 << 20
#: Endings of files that a folder is searched for.
SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".au", ".sph", ".w64")
#: What a folder's recordings are listed in.
LISTING = "input.jsonl"
#: Rows of a Parquet file that are decoded at a time.
_BATCH = 4096


@dataclass(frozen=True, slots=True)
class Row:
    """Something to encode.

    Attributes:
        id: of the utterance.
        recording: a path, a ``vqspeech.pipes.Pipe``, or a recording in a tar file.
        start: seconds into it; None for its beginning.
        end: seconds into it; None for its end.
    """

    id: str
    recording: str | Member
    start: float | None = None
    end: float | None = None

    def identity(self) -> tuple[object, ...]:
        """What makes it another one: where it is, which part of it, how long the file is; not when it was written."""
        if isinstance(self.recording, Member):
            return self.id, str(self.recording), self.recording.size, self.start, self.end
        try:
            size = None if isinstance(self.recording, Pipe) else Path(self.recording).stat().st_size
        except (OSError, ValueError):
            size = None
        return self.id, self.recording, size, self.start, self.end


class Rows(Protocol):
    """Where rows come from."""

    @property
    def described(self) -> str:
        """What it is, the same for all jobs."""

    def stretch(self, shard: int, shards: int) -> Iterator[Row]:
        """The rows of a shard, from 1, in order; those of all shards are all rows.

        Raises:
            InputError: a row that makes no sense; it names file and line.
        """


def lines_of(path: Path, shard: int, shards: int) -> Iterator[tuple[int, bytes]]:
    """The lines of a text file that begin in a shard's stretch of its bytes, each with its place in bytes."""
    size = path.stat().st_size
    begin, end = size * (shard - 1) // shards, size * shard // shards
    with path.open("rb") as file:
        if begin:
            file.seek(begin - 1)
            # The line in which the stretch begins is another shard's, unless it begins there itself.
            while (raw := file.readline(_LONGEST_LINE)) and not raw.endswith(b"\n"):
                pass
        place = file.tell()
        while place < end and (raw := file.readline(_LONGEST_LINE)):
            if len(raw) == _LONGEST_LINE and not raw.endswith(b"\n"):
                raise InputError(
                    f"a line of more than {_LONGEST_LINE} bytes",
                    where=path,
                    line=_number(path, place),
                    hint="is it a manifest?",
                )
            if raw.strip():
                yield place, raw
            place += len(raw)


def _number(path: Path, place: int) -> int:
    """The number of the line that begins at a byte: counted only to tell of a fault."""
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
        return f"{self.path.name}, {self.path.stat().st_size} bytes"

    def stretch(self, shard: int, shards: int) -> Iterator[Row]:
        """See ``Rows``."""
        for place, raw in lines_of(self.path, shard, shards):
            try:
                row = self.parse(raw)
            except InputError as error:
                raise in_line(error, self.path, _number(self.path, place)) from None
            yield row


class CompressedLines(Lines):
    """The same compressed: lines are counted, for nobody can begin in the middle."""

    def stretch(self, shard: int, shards: int) -> Iterator[Row]:
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
    while raw := file.readline(_LONGEST_LINE):
        if len(raw) == _LONGEST_LINE and not raw.endswith(b"\n"):
            raise InputError(f"a line of more than {_LONGEST_LINE} bytes", where=path, hint=ROW_HINT)
        yield raw


def in_line(error: InputError, path: Path, line: int) -> InputError:
    """The same error, of a line of a file."""
    return InputError(error.problem, where=path, line=line, hint=error.hint)


ROW_HINT = 'a row is {"path": "a.flac", "start": 0.0, "end": 7.5, "id": "a"}, of which only path must be there'


def json_row(raw: bytes) -> Row:
    """The row that a line of JSON is, ours or lhotse's cut; raises InputError if it is none."""
    with decoding("no JSON", hint=ROW_HINT):
        values = json.loads(raw)
    if not isinstance(values, dict):
        raise InputError("no object", hint=ROW_HINT)
    return _cut(values) if "recording" in values else _row(values)


def _row(values: dict[str, Any]) -> Row:
    path, name = values.get("path"), values.get("id")
    if not isinstance(path, str) or not path or path == "-" or "\0" in path:
        raise InputError(f"path is {path!r}"[:200], hint=ROW_HINT)
    start, end = _time(values, "start"), _time(values, "end")
    if name is None:
        name = Path(path).stem
        if start is not None or end is not None:
            raise InputError("a part of a recording without an id", hint=ROW_HINT)
    if not isinstance(name, str):
        raise InputError(f"id is {name!r}"[:200], hint="ids are text")
    return _checked(Row(name, path, start, end))


def _cut(values: dict[str, Any]) -> Row:
    """A cut as lhotse writes it."""
    hint = "a cut of one recording that is a file"
    with decoding("not a cut as lhotse writes it", hint=hint):
        recorded = values["recording"]
        source = recorded["sources"][0]
        if source["type"] != "file" or not isinstance(source["source"], str):
            raise InputError(f"a recording of type {source['type']!r}"[:200], hint=hint)
        if not source["source"] or source["source"] == "-" or "\0" in source["source"]:
            raise InputError("a recording without a path", hint=hint)
        start, length = float(values["start"]), float(values["duration"])
        whole = start == 0 and abs(length - float(recorded["duration"])) < 1e-3
        name = values["id"]
    if not isinstance(name, str):
        raise InputError(f"id is {name!r}"[:200], hint="ids are text")
    return _checked(Row(name, source["source"]) if whole else Row(name, source["source"], start, start + length))


def cut_of(raw: bytes, member: Member) -> Row:
    """The cut of a line whose recording lies in a tar file."""
    with decoding("not a cut as lhotse writes it", hint="copy the Shar again from its source"):
        values = json.loads(raw)
        name, start, length = values["id"], float(values["start"]), float(values["duration"])
        recorded = values.get("recording")
        whole = start == 0 and (recorded is None or abs(length - float(recorded["duration"])) < 1e-3)
        if not (isinstance(name, str) and 0 <= start < math.inf and 0 < length < math.inf):
            raise ValueError("its id, start or duration makes no sense")
    return _checked(Row(name, member) if whole else Row(name, member, start, start + length))


def _time(values: dict[str, Any], name: str) -> float | None:
    value = values.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise InputError(f"{name} is {value!r}"[:200], hint="give seconds from 0 on")
    return float(value)


def _checked(row: Row) -> Row:
    if fault := id_fault(row.id):
        raise InputError(fault, hint="give each row an id without white space")
    if row.end is not None and row.end <= (row.start or 0.0):
        raise InputError(f"{row.id} ends at {row.end:g} s, not after its start", hint="start and end are seconds")
    return row


class Parquet:
    """A Parquet file; only row groups of the stretch are read."""

    def __init__(self, path: Path) -> None:
        try:
            import pyarrow.parquet
        except ImportError:
            raise MissingExtraError("pyarrow", extra="parquet", purpose="a Parquet manifest") from None
        self.path = path
        with decoding("no Parquet file", where=path, hint="copy it again from its source"):
            self.file = pyarrow.parquet.ParquetFile(path)
        names = set(self.file.schema_arrow.names)
        if "path" not in names:
            raise InputError("no column path", where=path, hint="columns are path, start, end and id")
        self.columns = sorted(names & {"path", "start", "end", "id"})

    @property
    def described(self) -> str:
        """See ``Rows``."""
        return f"{self.path.name}, {self.path.stat().st_size} bytes"

    def stretch(self, shard: int, shards: int) -> Iterator[Row]:
        """See ``Rows``."""
        metadata = self.file.metadata
        total, first = metadata.num_rows, 0
        begin, end = total * (shard - 1) // shards, total * shard // shards
        for group in range(metadata.num_row_groups):
            rows = metadata.row_group(group).num_rows
            if first < end and first + rows > begin:
                yield from self._group(group, first, begin, end)
            first += rows

    def _group(self, group: int, first: int, begin: int, end: int) -> Iterator[Row]:
        with decoding("no Parquet file", where=self.path, hint="copy it again from its source"):
            for batch in self.file.iter_batches(_BATCH, row_groups=[group], columns=self.columns):
                low, high = max(begin - first, 0), min(end - first, batch.num_rows)
                for number, values in enumerate(batch.slice(low, max(high - low, 0)).to_pylist(), first + low + 1):
                    with located(self.path, f"row {number}"):
                        row = _row(values)
                    yield row
                first += batch.num_rows


class DataDirectory:
    """A Kaldi data directory: ``wav.scp``, and ``segments`` where it has them, in their order."""

    def __init__(self, path: Path) -> None:
        self.scp, self.segments = path / "wav.scp", path / "segments"
        self.path = path
        self.has_segments = self.segments.is_file()

    @property
    def described(self) -> str:
        """See ``Rows``."""
        sizes = [file.stat().st_size for file in (self.scp, self.segments) if file.is_file()]
        return f"{self.path.name}, {' and '.join(map(str, sizes))} bytes"

    def stretch(self, shard: int, shards: int) -> Iterator[Row]:
        """See ``Rows``."""
        if not self.has_segments:
            for line in lines_of(self.scp, shard, shards):
                yield self._made(self.scp, line, lambda key, value: Row(key, recording(value)))
            return
        wanted = {
            self._made(self.segments, line, _segment).recording for line in lines_of(self.segments, shard, shards)
        }
        places: dict[str | Member, str | Member] = {}
        for line in lines_of(self.scp, 1, 1):
            row = self._made(self.scp, line, lambda key, value: Row(key, recording(value)))
            if row.id in wanted:
                places[row.id] = row.recording
        for line in lines_of(self.segments, shard, shards):
            row = self._made(self.segments, line, _segment)
            if row.recording not in places:
                raise InputError(
                    f"no recording {row.recording} in wav.scp",
                    where=self.segments,
                    line=_number(self.segments, line[0]),
                    hint="vqspeech fix",
                )
            yield Row(row.id, places[row.recording], row.start, row.end)

    def _made(self, path: Path, line: tuple[int, bytes], make: Callable[[str, str], Row]) -> Row:
        place, raw = line
        try:
            with decoding("no UTF-8 text", hint="vqspeech validate finds all faults"):
                words = raw.decode().split(maxsplit=1)
            if len(words) < 2:
                raise InputError("nothing follows the id", hint="vqspeech validate finds all faults")
            return _checked(make(words[0], words[1].strip()))
        except InputError as error:
            raise in_line(error, path, _number(path, place)) from None


def _segment(key: str, value: str) -> Row:
    words = value.split()
    number = re.compile(r"(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?", re.ASCII)
    if len(words) != 3 or not all(number.fullmatch(word) for word in words[1:]):
        raise InputError("expected recording, start and end after the id", hint="vqspeech validate finds all faults")
    return Row(key, words[0], float(words[1]), float(words[2]))


def listing(folder: Path, out: Path) -> Path:
    """The list of a folder's recordings, made by the first job that needs it."""
    target = out / LISTING
    if target.is_file():
        return target
    count = 0
    with atomic_open(target) as file:
        for path in _recordings(folder):
            name = str(path.relative_to(folder).with_suffix(""))
            if id_fault(name) is None and str(path).isprintable():
                file.write(json.dumps({"id": name, "path": str(path)}) + "\n")
                count += 1
    if not count:
        target.unlink()
        raise InputError("no recordings in it", where=folder, hint="give a folder of WAV, FLAC, OGG or MP3 files")
    return target


def _recordings(folder: Path) -> Iterator[Path]:
    """Recordings at any depth, sorted within each folder; hidden ones left out, and links to folders not followed."""
    with os.scandir(folder) as found:
        entries = sorted((entry for entry in found if not entry.name.startswith(".")), key=lambda entry: entry.name)
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _recordings(Path(entry.path))
        elif entry.name.lower().endswith(SUFFIXES):
            yield Path(entry.path)
