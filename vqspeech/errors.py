"""The one exception that means: what the user gave cannot be used, and here is what to do about it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

#: Characters of each part of a message, at most.
_LONGEST = 600


def _shown(text: str) -> str:
    """``text`` without what a terminal would obey, and with its middle left out where it is long."""
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST // 2]} … {text[-_LONGEST // 4 :]}"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c.isspace() else ascii(c)[1:-1] for c in text)


def one_line(text: object) -> str:
    """A message, or a name that others chose, as a line of its own on a terminal."""
    return " ".join(_shown(str(text)).split())


class InputError(ValueError):
    """Bad input: audio, a data directory, an alignment, a config, a checkpoint or an option.

    The command line prints it as one line on stderr and exits with status 2; a library user catches it
    as a ``ValueError``.

    Args:
        problem: what is wrong, in one line.
        where: the file (or option, or config key) in which it is wrong.
        line: the line of that file, counted from 1.
        hint: what the user can do about it, in one line.
    """

    def __init__(
        self,
        problem: str,
        *,
        where: str | os.PathLike[str] | None = None,
        line: int | None = None,
        hint: str | None = None,
    ) -> None:
        self.problem = problem
        self.where = None if where is None else os.fspath(where)
        self.line = line
        self.hint = hint
        place = "" if self.where is None else f"{self.where}:{line}: " if line else f"{self.where}: "
        said = "".join(_shown(part) for part in (place, problem, f" ({hint})" if hint else ""))
        super().__init__(" ".join(said.split()))


class MissingExtraError(InputError):
    """An optional package is needed and not installed.

    Args:
        package: the module that could not be imported.
        extra: the extra of ``vqspeech`` that installs it.
        purpose: what it is needed for.
    """

    def __init__(self, package: str, *, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs {package}", hint=f"pip install 'vqspeech[{extra}]'")


class RenamedWarning(FutureWarning):
    """Something is given under a name of an earlier version, which later versions will not read."""


def warn_renamed(
    old: str, new: str, *, where: str | os.PathLike[str] | None = None, hint: str = "use the new name"
) -> None:
    """Warn that ``old`` is now called ``new``; the command line prints it as one line.

    Args:
        old: the name that was given.
        new: the name of this version.
        where: the file in which it stands.
        hint: what the user can do.
    """
    place = "" if where is None else f"{os.fspath(where)}: "
    warnings.warn(f"{place}{old!r} is now called {new!r} ({hint})", RenamedWarning, stacklevel=3)


@contextmanager
def located(where: str | os.PathLike[str] | None, part: str = "") -> Iterator[None]:
    """Say of an ``InputError`` in which file it is: the check that raises it does not see where its values are from.

    Args:
        where: the file, in place of what the error names.
        part: the part of the file, such as ``row 3``.
    """
    try:
        yield
    except InputError as error:
        problem = f"{part}: {error.problem}" if part else error.problem
        raise InputError(problem, where=where, hint=error.hint) from None


@contextmanager
def decoding(
    problem: str, *, where: str | os.PathLike[str] | None = None, line: int | None = None, hint: str | None = None
) -> Iterator[None]:
    """Turn whatever a library raises over bytes that it cannot decode into one ``InputError``.

    Libraries raise nearly anything over bytes that nobody thought of, and some of them print: no list of exceptions
    would be complete. What the operating system says of a file stays as it is.

    Args:
        problem: what the bytes are not; the library's first line is added.
        where: as for ``InputError``.
        line: as for ``InputError``.
        hint: as for ``InputError``.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.filename is not None:  # the system's; torch has some of its own
            raise
        said = next((text.strip() for text in str(error).splitlines() if text.strip()), "") or type(error).__name__
        if isinstance(error, MemoryError | RecursionError):
            said = "too large or too deep"
        line = getattr(error, "lineno", None) if line is None else line
        raise InputError(f"{problem}: {said[:200]}", where=where, line=line, hint=hint) from error
