"""Notes that compiled libraries print on stderr, kept from the user's terminal."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Iterator

_LOCK = threading.Lock()


@contextlib.contextmanager
def withheld(*marks: str) -> Iterator[list[str]]:
    """Keep lines with one of ``marks`` that are written to file descriptor 2 meanwhile; all others appear afterwards.

    Yields:
        A list, which holds the kept lines when the block has ended.
    """
    notes: list[str] = []
    with _LOCK, tempfile.TemporaryFile() as taken:
        sys.stderr.flush()
        try:
            terminal = os.dup(2)
        except OSError:  # there is no stderr
            yield notes
            return
        os.dup2(taken.fileno(), 2)
        try:
            yield notes
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)
            taken.seek(0)
            for line in taken.read().splitlines(keepends=True):
                text = line.decode(errors="replace")
                if any(mark in text for mark in marks):
                    notes.append(text.strip())
                else:
                    os.write(2, line)
