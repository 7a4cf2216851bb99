"""One row of a source: a recording or a part of it, with an id; read from JSON, ours or lhotse's."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from vqspeech.codes.binary import id_fault
from vqspeech.encoding.tar_member import Member
from vqspeech.errors import InputError, decoding
from vqspeech.pipes import Pipe

ROW_HINT = 'a row is {"path": "a.flac", "start": 0.0, "end": 7.5, "id": "a"}, of which only path must be there'


@dataclass(frozen=True, slots=True)
class Row:
    """Something to encode.

    Attributes:
        id: of the utterance.
        recording: a path, a ``vqspeech.pipes.Pipe``, or a recording in a tar file.
        start: seconds into it; None for its beginning.
        end: seconds into it; None for its end.
        speaker: who speaks; None where nobody says it, or several do.
        fault: why it cannot be used, where that is known before it is read.
    """

    id: str
    recording: str | Member
    start: float | None = None
    end: float | None = None
    speaker: str | None = None
    fault: str | None = None

    @property
    def part(self) -> str:
        """The recording and which part of it, for messages."""
        begin = "" if self.start is None else f" from {self.start:g} s"
        end = "" if self.end is None else f" to {self.end:g} s"
        return f"{self.recording}{begin}{end}"

    def identity(self) -> tuple[object, ...]:
        """What makes it another one: where it is, which part of it, how long the file is; not when it was written."""
        if isinstance(self.recording, Member):
            return self.id, str(self.recording), self.recording.size, self.start, self.end
        try:
            size = None if isinstance(self.recording, Pipe) else Path(self.recording).stat().st_size
        except (OSError, ValueError):
            size = None
        return self.id, self.recording, size, self.start, self.end


@runtime_checkable
class Rows(Protocol):
    """Where rows come from."""

    @property
    def path(self) -> Path:
        """Where they are, for messages."""

    @property
    def described(self) -> str:
        """What it is, the same for all jobs."""

    def of_shard(self, shard: int, shards: int) -> Iterator[Row]:
        """The rows of a shard, from 1, in order; those of all shards are all rows.

        Raises:
            InputError: a row that makes no sense; it names file and line.
        """


def json_row(raw: bytes) -> Row:
    """The row that a line of JSON is, ours or lhotse's cut; raises InputError if it is none."""
    values = json_object(raw)
    return _cut(values) if "recording" in values else row_of(values)


def json_object(raw: bytes) -> dict[str, Any]:
    """The values by name that a line of JSON holds; raises InputError if it holds something else."""
    with decoding("no JSON", hint=ROW_HINT):
        values = json.loads(raw)
    if not isinstance(values, dict):
        raise InputError("no object", hint=ROW_HINT)
    return values


def row_of(values: dict[str, Any]) -> Row:
    """The row of values by name; raises InputError where one makes no sense."""
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
    return checked(Row(name, path, start, end, _name(values.get("speaker"))))


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
    begin, end = (None, None) if whole else (start, start + length)
    return checked(Row(name, source["source"], begin, end, _speaker(values)))


def cut_of(raw: bytes, member: Member) -> Row:
    """The cut of a line whose recording lies in a tar file."""
    with decoding("not a cut as lhotse writes it", hint="copy the Shar again from its source"):
        values = json.loads(raw)
        name, start, length = values["id"], float(values["start"]), float(values["duration"])
        recorded = values.get("recording")
        whole = start == 0 and (recorded is None or abs(length - float(recorded["duration"])) < 1e-3)
        if not (isinstance(name, str) and 0 <= start < math.inf and 0 < length < math.inf):
            raise ValueError("its id, start or duration makes no sense")
    begin, end = (None, None) if whole else (start, start + length)
    return checked(Row(name, member, begin, end, _speaker(values)))


def _speaker(cut: dict[str, Any]) -> str | None:
    """Who speaks in a cut, as its supervisions say: None where none does, or where they name several."""
    supervisions = cut.get("supervisions")
    if not isinstance(supervisions, list):
        return None
    named = {_name(one.get("speaker")) for one in supervisions if isinstance(one, dict)}
    return named.pop() if len(named) == 1 else None


def _name(value: object) -> str | None:
    """A speaker's name, which may be a number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value else None


def _time(values: dict[str, Any], name: str) -> float | None:
    value = values.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise InputError(f"{name} is {value!r}"[:200], hint="give seconds from 0 on")
    return float(value)


def checked(row: Row) -> Row:
    """Return a row; raises InputError where its id makes no sense.

    Times that make none are found as the recording is read: of millions of rows one such stops no shard.
    """
    if fault := id_fault(row.id):
        raise InputError(fault, hint="give each row an id without white space")
    return row
