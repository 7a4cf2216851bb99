"""Files that are there in full or not at all."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


@contextmanager
def atomic_path(target: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside ``target``; on success it takes target's place in one step.

    Whatever happens inside (an exception, Ctrl-C, ``kill -9``), ``target`` is either as it was or
    complete. The temporary file keeps the suffix, for writers that choose the format by it.

    Raises:
        OSError: the folder cannot be written or the disk is full; it names a file.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.stem}.", suffix=target.suffix, dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(target)
    except OSError as error:
        # Python names the file when one cannot be opened, and none when the disk is full.
        if error.filename is None:
            error.filename = str(target)
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_open(target: str | os.PathLike[str], mode: str = "w") -> Iterator[IO[Any]]:
    """Open ``target`` for writing so that it appears whole, in one step, when the block ends.

    Args:
        target: the file to make or replace.
        mode: ``"w"`` (UTF-8 text, Unix line ends) or ``"wb"``.
    """
    with atomic_path(target) as temporary:
        text = "b" not in mode
        with temporary.open(mode, encoding="utf-8" if text else None, newline="\n" if text else None) as file:
            yield file


def save_checkpoint(target: Path, state: dict[str, Any]) -> None:
    """Write a state for ``torch.load``, whole or not at all.

    Raises:
        OSError: the folder cannot be written or the disk is full; it names the file.
    """
    import torch

    # In memory first: torch's own words for a full disk are no OSError.
    saved = io.BytesIO()
    torch.save(state, saved)
    with atomic_open(target, "wb") as file:
        file.write(saved.getbuffer())
