"""One shard of a set of codes, written block by block: killed, the next run goes on behind the last block.

While it is being written a shard is two files with a point before their names: ``.part`` with the codes, and ``.log``
with a line per utterance that has the checksum of its codes. What of them is not whole, or was written by two processes
at once, is found by the checksums and made again. The files of a finished shard take their names one after the other,
its ``.json`` last.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
from numpy.typing import ArrayLike

from vqspeech.codes.archive import CodeInfo, check_info
from vqspeech.codes.binary import AT_ONCE, HEADER, RECORD, code_type, header, id_fault
from vqspeech.errors import InputError
from vqspeech.files import atomic_open, locked, naming

#: Bytes of a line of the log, at most.
_LONGEST_LINE = 1 << 14


def shard_name(shard: int, shards: int) -> str:
    """What the files of a shard, counted from 1, are called, without their suffixes."""
    return f"codes.{shard:05}-of-{shards:05}"


@dataclass(frozen=True)
class _Line:
    """A line of the log: an utterance, or one that could not be used and why (``length`` None)."""

    name: str
    length: int | None
    seconds: float = 0.0
    checksum: int = 0
    reason: str = ""

    def text(self) -> str:
        if self.length is None:
            return f"{self.name}\t-\t{self.reason}\n"
        return f"{self.name}\t{self.length}\t{self.seconds!r}\t{self.checksum}\n"

    @classmethod
    def read(cls, raw: bytes) -> _Line | None:
        """The line that ``raw`` is, None if it is not whole."""
        try:
            words = raw.decode().removesuffix("\n").split("\t")
            if not raw.endswith(b"\n") or not words[0]:
                return None
            if len(words) == 3 and words[1] == "-":
                return cls(words[0], None, reason=words[2])
            name, length, seconds, checksum = words
            return cls(name, int(length), float(seconds), int(checksum))
        except ValueError:
            return None


class ShardWriter:
    """Writes a shard.

    >>> with ShardWriter("out", info, shard=3, shards=16, source="...") as writer:     # doctest: +SKIP
    ...     for row in rows[writer.done :]:
    ...         writer.append(row.id, codes, seconds)
    ...         writer.flush()                          # what was appended before now survives a kill

    Args:
        folder: of all shards.
        info: what ``codes.json`` will say.
        shard: which, from 1.
        shards: of how many.
        source: what is encoded, in words that differ where it does.
        described: what ``source`` is called in the shard's ``.json``, the same for all shards.
        wait: seconds to wait on entering the block for another process that writes the shard.

    Attributes:
        done: rows of the source that are written, or known not to be usable.
        failed: how many of them could not be used.
        complete: whether the shard is there already, of this source and model.
        discarded: whether something else was there, which is written anew.

    Raises:
        InputError: on entering the block: another process writes the shard.
    """

    def __init__(
        self,
        folder: Path,
        info: CodeInfo,
        *,
        shard: int,
        shards: int,
        source: str,
        described: str = "",
        wait: float = 0.0,
    ) -> None:
        self.folder = Path(folder)
        self.wait = wait
        self.name = shard_name(shard, shards)
        self.kind = code_type(check_info(info, None).codebook_size)
        place = {"shard": shard, "shards": shards, "described": described, "source": source}
        self.facts, self._identity = asdict(info) | place, info.identity | place
        self.done = self.failed = 0
        self.discarded = False
        self._part, self._log = self.folder / f".{self.name}.part", self.folder / f".{self.name}.log"
        self._codes: IO[bytes] | None = None
        self._lines: IO[bytes] | None = None
        self._lock = ExitStack()
        self._pending: list[tuple[_Line, bytes]] = []
        self.complete = self._is_complete()

    def path(self, suffix: str) -> Path:
        """A file of the finished shard."""
        return self.folder / f"{self.name}{suffix}"

    def _is_complete(self) -> bool:
        try:
            known = json.loads(self.path(".json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        if not self._is_same(known):
            return False
        counts: list[Any] = [known.get(name) for name in ("codes", "utterances", "failed")]
        if not all(isinstance(count, int) for count in counts):
            return False
        codes, utterances, self.failed = map(int, counts)
        self.done = utterances + self.failed
        sizes = {".npy": codes * self.kind.itemsize, ".index.npy": utterances * RECORD.itemsize}
        return self.path(".ids").is_file() and all(
            self.path(suffix).is_file() and self.path(suffix).stat().st_size == HEADER + size
            for suffix, size in sizes.items()
        )

    def _is_same(self, known: object) -> bool:
        """Whether what was written of a shard says that it is of this source and model."""
        return isinstance(known, dict) and {name: known.get(name) for name in self._identity} == self._identity

    def __enter__(self) -> ShardWriter:
        self._lock.enter_context(locked(self.path(".npy"), wait=self.wait))
        try:
            self.complete = self._is_complete()  # another process may have just made it
            if not self.complete:
                with naming(self.path(".npy")):
                    self._open()
        except BaseException:
            self._lock.close()
            raise
        return self

    def tidy(self) -> None:
        """Remove what a process that was killed left beside a complete shard: its log, and the file that locks it."""
        with suppress(InputError, OSError), locked(self.path(".npy")):
            self._log.unlink(missing_ok=True)

    def _open(self) -> None:
        if not self._part.exists() and self._log.exists() and self.path(".npy").exists():
            self.path(".npy").replace(self._part)  # killed between the two last steps of finishing
        order = (json.dumps(self.facts, sort_keys=True) + "\n").encode()
        for file in (self._part, self._log):
            file.touch()
        self._codes, self._lines = self._part.open("r+b"), self._log.open("r+b")
        if not self._is_same(_object(self._lines.readline(_LONGEST_LINE * 4))):
            self.discarded = self._log.stat().st_size > 0 or self.path(".json").exists()
            for stream in (self._codes, self._lines):
                stream.seek(0)
                stream.truncate()
            self._lines.write(order)
            self._lines.flush()
        self.done = self.failed = 0
        self._codes.seek(HEADER)
        keep, place = self._lines.tell(), HEADER
        while (line := _Line.read(self._lines.readline(_LONGEST_LINE))) is not None:
            if line.length is None:
                self.failed += 1
            else:
                data = self._codes.read(line.length * self.kind.itemsize)
                if len(data) < line.length * self.kind.itemsize or zlib.crc32(data) != line.checksum:
                    break
                place += len(data)
            keep = self._lines.tell()
            self.done += 1
        for stream, end in ((self._lines, keep), (self._codes, place)):
            stream.seek(end)
            stream.truncate()

    def append(self, name: str, codes: ArrayLike, seconds: float) -> None:
        """Add an utterance.

        Args:
            name: its id.
            codes: ``(frames,)`` integers in ``[0, codebook_size)``.
            seconds: of its recording.

        Raises:
            InputError: an id or a code that cannot be.
        """
        array = np.asarray(codes)
        if fault := id_fault(name):
            raise InputError(fault, where=self.path(".ids"), hint="rename the utterance")
        size = int(self.facts["codebook_size"])
        if array.ndim != 1 or (array.size and (array.min() < 0 or array.max() >= size)):
            raise InputError(
                f"utterance {name}: a code is outside [0, {size})",
                where=self.path(".npy"),
                hint="correct codebook_size",
            )
        data = array.astype(self.kind).tobytes()
        self._pending.append((_Line(name, len(array), float(seconds), zlib.crc32(data)), data))

    def fail(self, name: str, reason: str) -> None:
        """Note that an utterance cannot be used."""
        self._pending.append((_Line(name, None, reason=" ".join(reason.split())[:1000]), b""))
        self.failed += 1

    def flush(self) -> None:
        """Give what was added to the system: from now on it need not be made again."""
        if self._codes is None or self._lines is None:
            raise RuntimeError("ShardWriter.flush outside its with block")
        with naming(self.path(".npy")):
            self._codes.write(b"".join(data for _, data in self._pending))
            self._codes.flush()
            self._lines.write("".join(line.text() for line, _ in self._pending).encode())
            self._lines.flush()
        self.done += len(self._pending)
        self._pending = []

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock, naming(self.path(".npy")):
            if self._codes is None or self._lines is None:
                return
            if kind is None:
                self.flush()
            self._lines.close()
            if kind is None:
                self._finish(self._codes)
            self._codes.close()
            self._codes = self._lines = None

    def _finish(self, codes: IO[bytes]) -> None:
        count, utterances = 0, sum(line.length is not None for line in self._written())
        self.path(".json").unlink(missing_ok=True)  # of what was there before, of which not all stays
        with atomic_open(self.path(".index.npy"), "wb") as index, atomic_open(self.path(".ids"), "wb") as ids:
            index.write(header(RECORD, utterances))
            records = []
            codes.seek(HEADER)
            for line in self._written():
                if line.length is None:
                    continue
                # Two processes that both held the lock, where a file system has none, would show here.
                if zlib.crc32(codes.read(line.length * self.kind.itemsize)) != line.checksum:
                    raise InputError("was written by another process, too", where=self._part, hint="run this again")
                records.append((count, line.length, line.seconds, ids.tell()))
                ids.write(f"{line.name}\n".encode())
                count += line.length
                if len(records) == AT_ONCE:
                    index.write(np.array(records, RECORD).tobytes())
                    records = []
            index.write(np.array(records, RECORD).tobytes())
        if self.failed:
            with atomic_open(self.path(".failed")) as file:
                file.writelines(f"{line.name}\t{line.reason}\n" for line in self._written() if line.length is None)
        else:
            self.path(".failed").unlink(missing_ok=True)
        codes.seek(0)
        codes.write(header(self.kind, count))
        codes.flush()
        os.fsync(codes.fileno())
        self._part.replace(self.path(".npy"))
        counts = {"utterances": utterances, "codes": count, "failed": self.failed}
        with atomic_open(self.path(".json")) as file:
            file.write(json.dumps({**self.facts, **counts}, indent=2) + "\n")
        self._log.unlink()
        self.complete = True

    def _written(self) -> Iterator[_Line]:
        with self._log.open("rb") as lines:
            lines.readline()
            for raw in lines:
                line = _Line.read(raw)
                if line is None:
                    raise InputError("was written by another process, too", where=self._log, hint="run this again")
                yield line


def _object(line: bytes) -> object:
    """What a whole line of JSON holds; None if it is none."""
    try:
        return json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
