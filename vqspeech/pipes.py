"""Commands in the place of recordings: Kaldi's ``wav.scp`` may say ``utt-id sox a.flac -t wav - |``.

A data directory may be anybody's, and such a command can do anything: it runs only where the user says so, with
``--allow-pipes`` on the command line or :func:`allowed` in Python.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from vqspeech.errors import InputError

#: In the environment, so that worker processes know of it too.
_VARIABLE = "VQSPEECH_ALLOW_PIPES"


class Pipe(str):
    """A shell command whose output is a recording, as ``wav.scp`` writes it: ``command |``."""

    __slots__ = ()

    @property
    def command(self) -> str:
        """What the shell is to run."""
        return self.strip().removesuffix("|").strip()


def recording(value: str) -> str:
    """What an entry of ``wav.scp`` names: a ``Pipe`` where it ends in ``|``, else a path as it is."""
    return Pipe(value) if value.rstrip().endswith("|") else value


@contextmanager
def allowed(yes: bool = True) -> Iterator[None]:
    """Let pipes run in this block, in this process and those that it starts.

    Args:
        yes: whether they may; ``False`` leaves it as it was.
    """
    before = os.environ.get(_VARIABLE)
    if yes:
        os.environ[_VARIABLE] = "1"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(_VARIABLE, None)
        else:
            os.environ[_VARIABLE] = before


def require_allowed(pipe: Pipe) -> None:
    """Refuse to run a command that nobody has allowed.

    Raises:
        InputError: it names the command.
    """
    if os.environ.get(_VARIABLE) != "1":
        raise InputError(
            "a command, which is not run unless you say so", where=pipe, hint="look at it, then use --allow-pipes"
        )
