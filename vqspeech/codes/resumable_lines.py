"""A text archive, one line per utterance, written so that a run that is killed goes on where it was."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO

from vqspeech.errors import InputError
from vqspeech.files import atomic_open, locked, naming, require_writable, sidecar_path


class ResumableLines:
    """Lines ``utterance-id word word ...`` of a text file with a JSON file beside it.

    Lines go to ``PATH.partial``; when the block ends without an exception, that file becomes ``PATH``. A later writer
    with the same path, sidecar and sources continues a partial file; with others it starts afresh. Nobody else can
    write the file meanwhile.

    Args:
        path: the file to make.
        sidecar: content of the JSON file.
        sources: what the lines are made of, in words that differ where it does.
        identity: what of ``sidecar`` has to be the same for a partial file to be continued; None for all of it.

    Attributes:
        done: ids of the utterances that are written.
        discarded: whether there was a partial file of something else.

    Raises:
        InputError: ``path`` cannot be written; on entering the block, another process writes the file.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        sidecar: str,
        sources: Iterable[object] = (),
        identity: str | None = None,
    ) -> None:
        self.path = Path(path)
        require_writable(self.path)
        self.done: set[str] = set()
        self.discarded = False
        self._sidecar = sidecar
        self._partial = self.path.with_name(self.path.name + ".partial")
        self._partial_info = self._partial.with_name(sidecar_path(self.path).name + ".partial")
        of_sources = hashlib.sha256("\n".join(map(str, sources)).encode(errors="surrogateescape")).hexdigest()
        self._order = f"{sidecar if identity is None else identity}{of_sources}\n"
        self._earlier_order = f"{sidecar}{of_sources}\n"  # of a partial file from before there were identities
        self._file: IO[bytes] | None = None
        self._lock = ExitStack()

    def __enter__(self) -> ResumableLines:
        self._lock.enter_context(locked(self.path))
        try:
            self._open()
        except BaseException:
            self._lock.close()
            raise
        return self

    def _open(self) -> None:
        # A killed writer may have left half a line, which cannot be distinguished from a short one: it is dropped.
        whole = self._partial.read_bytes() if self._partial.is_file() else b""
        keep = whole.rfind(b"\n") + 1
        done = _names(whole[:keep])
        continues = (
            self._partial.is_file()
            and self._partial_info.is_file()
            and self._partial_info.read_bytes() in (self._order.encode(), self._earlier_order.encode())
            and done is not None
        )
        if continues:
            self.done = done or set()
        else:
            self.discarded = self._partial.is_file()
            self._partial.unlink(missing_ok=True)
            with atomic_open(self._partial_info) as file:
                file.write(self._order)
        self._file = self._partial.open("ab")
        if continues:
            self._file.truncate(keep)

    def append(self, utterance: str, words: Iterable[str]) -> None:
        """Write one line; when this returns, it has left the process.

        Args:
            utterance: its id, without white space.
            words: the rest of the line.

        Raises:
            InputError: the id has white space or is written already.
        """
        if self._file is None:
            raise RuntimeError("a line outside the with block")
        if not utterance or utterance.split() != [utterance]:
            raise InputError(f"an utterance id has no white space: {utterance!r}", hint="rename it")
        if utterance in self.done:
            raise InputError(f"utterance {utterance} occurs twice", where=self.path, hint="rename one of the two")
        with naming(self.path):
            self._file.write(" ".join([utterance, *words]).encode() + b"\n")
            self._file.flush()
        self.done.add(utterance)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            if self._file is None:
                return
            with naming(self.path):
                self._file.flush()
                os.fsync(self._file.fileno())
                self._file.close()
            self._file = None
            if kind is None:
                # Killed between any two of these, the next run has all it needs to do the rest.
                with atomic_open(sidecar_path(self.path)) as file:
                    file.write(self._sidecar)
                self._partial.replace(self.path)
                self._partial_info.unlink(missing_ok=True)


def _names(lines: bytes) -> set[str] | None:
    """The first word of each line; None where one is no text."""
    try:
        return {line.split(None, 1)[0] for line in lines.decode().splitlines() if line.strip()}
    except UnicodeDecodeError:
        return None
