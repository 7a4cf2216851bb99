"""Files that are whole or not there, that one process writes at a time, and whose names stay in their folder."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import io
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from vqspeech.errors import InputError

#: In the names of temporary files, so that they are known for such.
_MARK = ".tmp-"
#: Bytes of a file's name that file systems take, less what suffixes and temporary names add.
_LONGEST_NAME = 200
#: Seconds after which a process that waits for another looks again.
_LOOK_AGAIN = 0.2


def name_fault(name: str) -> str | None:
    """What is wrong with a name (of an utterance, of a speaker) that becomes that of a file; None if nothing is.

    Such names come from archives and data directories of anybody: ``../../x`` must not lead out of a folder.
    """
    if name in ("", ".", ".."):
        return f"{name!r} is no name for a file"
    if "/" in name or "\\" in name:
        return f"{name[:60]!r} holds a path separator"
    if any("\ud800" <= character <= "\udfff" for character in name):
        return f"{name[:60]!r} is no UTF-8"
    if not name.isprintable():
        return f"{name[:60]!r} holds a control character"
    if len(name.encode(errors="surrogateescape")) > _LONGEST_NAME:
        return f"{name[:60]!r}... is longer than {_LONGEST_NAME} bytes"
    return None


def path_in(folder: str | os.PathLike[str], name: str, suffix: str = "") -> Path:
    """The file in ``folder`` that is called ``name``, whoever chose the name.

    Args:
        folder: where it is, surely.
        name: without the suffix.
        suffix: with its dot.

    Raises:
        InputError: ``name`` would lead elsewhere, or cannot be a file's.
    """
    if fault := name_fault(name):
        raise InputError(fault, where=folder, hint="rename the utterance or the speaker")
    return Path(folder) / f"{name}{suffix}"


def sidecar_path(path: str | os.PathLike[str]) -> Path:
    """The JSON file that belongs to a text file: ``codes.json`` of ``codes.txt``, ``codes.a.json`` of ``codes.a``."""
    path = Path(path)
    return path.with_suffix(".json") if path.suffix == ".txt" else path.with_name(f"{path.name}.json")


@contextmanager
def locked(target: str | os.PathLike[str], *, wait: float = 0.0) -> Iterator[None]:
    """Keep other processes from writing ``target`` (a file or a folder) meanwhile; ``kill -9`` frees it, too.

    The lock is an empty hidden file beside ``target``, so that it holds for all machines that share the folder. It is
    removed at the end; what ``kill -9`` leaves of it locks nothing, and goes with the next run.

    Args:
        target: what is to be written.
        wait: seconds to wait for another process that writes it.

    Raises:
        InputError: another process writes it.
        OSError: the folder cannot be written.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    lock = target.with_name(f".{target.name}.lock")
    deadline = time.monotonic() + wait
    while True:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            if time.monotonic() >= deadline:
                hint = "wait until it has ended"
                raise InputError("another process is writing it", where=target, hint=hint) from None
            time.sleep(_LOOK_AGAIN)
            continue
        except OSError:  # some network file systems have no locks
            break
        # Whoever had it before us has removed the file that we opened: then it is not the lock any more.
        try:
            if os.path.samestat(os.fstat(handle), lock.stat()):
                break
        except FileNotFoundError:
            pass
        os.close(handle)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(handle)


@contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Name a file in an OSError that names none: Python does when one cannot be opened, not when the disk is full."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


@contextmanager
def atomic_path(target: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside ``target``; on success it takes target's place in one step.

    Whatever happens inside (an exception, Ctrl-C, ``kill -9``), ``target`` is either as it was or
    complete. The temporary file keeps the suffix, for writers that choose the format by it.

    Raises:
        InputError: ``target`` is a folder or a device, of which the new file would take the place.
        OSError: the folder cannot be written or the disk is full; it names a file.
    """
    target = Path(target)
    require_file(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_stale(target)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.stem}{_MARK}", suffix=target.suffix, dir=target.parent)
    except OSError as error:
        error.filename = str(target)  # not the temporary name, of which nobody has heard
        raise
    temporary = Path(name)
    with contextlib.suppress(OSError):  # some network file systems have no locks
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        with naming(target):
            yield temporary
            mask = os.umask(0)
            os.umask(mask)
            temporary.chmod(0o666 & ~mask)
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
        os.close(handle)


def _remove_stale(target: Path) -> None:
    """Remove what killed writers of ``target`` have left; a living one holds a lock."""
    for left in target.parent.glob(f"{glob.escape(f'.{target.stem}{_MARK}')}*{glob.escape(target.suffix)}"):
        with contextlib.suppress(OSError):
            handle = os.open(left, os.O_RDWR)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.unlink()
            finally:
                os.close(handle)


def same_file(path: str | os.PathLike[str], other: str | os.PathLike[str]) -> bool:
    """Whether two paths lead to one file, by whatever links; of what is not there, False."""
    with contextlib.suppress(OSError):
        return Path(path).samefile(other)
    return False


def is_special(path: str | os.PathLike[str]) -> bool:
    """Whether it is there and neither file nor folder: a pipe by name, say, at which a reader would wait for ever."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116  # of millions
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def require_file(target: Path) -> None:
    """Refuse to replace what is no file: a rename over ``/dev/null``, by root, would leave a file in its place.

    Raises:
        InputError: ``target`` is there, and a folder, a device, a pipe or the like.
    """
    if target.exists() and not target.is_file():
        kind = "a folder" if target.is_dir() else "a device or a pipe, not a file"
        raise InputError(f"is {kind}", where=target, hint="name another file, or - for stdout where that is offered")


def require_writable(target: str | os.PathLike[str]) -> None:
    """Find out before long work, not after it, that ``target`` cannot be made or replaced; nothing is written.

    Args:
        target: the file.

    Raises:
        InputError: its folder cannot be written or cannot be made, or ``target`` is a folder, a device or the like.
    """
    target = Path(target)
    require_file(target)
    folder = target.parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        raise InputError("is not a folder", where=folder, hint="name another place")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError("the folder cannot be written", where=folder, hint="name another, or ask for the right to")


def require_folder(target: str | os.PathLike[str]) -> None:
    """Find out before long work that ``target`` cannot be made or be written into as a folder; nothing is written.

    Raises:
        InputError: it is a file, or the folder that it would lie in cannot be written.
    """
    target = Path(target)
    if target.exists() and not target.is_dir():
        raise InputError("is a file, not a folder", where=target, hint="name a folder")
    require_writable(target / "a file")


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
