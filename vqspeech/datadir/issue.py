"""One fault of a data directory, with its place and a hint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vqspeech.errors import InputError


@dataclass(frozen=True, slots=True)
class ValidationIssue:
    """A fault that ``validate`` found.

    Attributes:
        file: the file it is in.
        line: the line of that file, from 1; None when the fault is the file's as a whole.
        problem: what is wrong, in a few words.
        hint: what to do about it.
    """

    file: Path
    line: int | None
    problem: str
    hint: str

    def __str__(self) -> str:
        return str(self.error())

    def error(self) -> InputError:
        """The same as an exception to raise."""
        return InputError(self.problem, where=self.file, line=self.line, hint=self.hint)
