"""Options that were called otherwise in an earlier version: they work, with a warning."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from vqspeech.errors import warn_renamed


class _Renamed(argparse.Action):
    """Store the value under the new option's name."""

    def __init__(self, option_strings: Sequence[str], dest: str, new: str, **settings: Any) -> None:
        super().__init__(option_strings, dest, **settings)
        self.new = new

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        """Warn, and store."""
        del parser
        warn_renamed(str(option), self.new)
        setattr(namespace, self.dest, self.const if self.nargs == 0 else values)


def add_renamed(parser: argparse.ArgumentParser | argparse._ArgumentGroup, old: str, new: str, **settings: Any) -> None:
    """Let ``old`` mean what ``new`` does; the help does not show it.

    Args:
        parser: has the option ``new``.
        old: the earlier name, with its dashes.
        new: the name of this version, with its dashes.
        settings: as those of ``new``, such as its ``type``.
    """
    dest = new.lstrip("-").replace("-", "_")
    parser.add_argument(
        old, action=_Renamed, new=new, dest=dest, default=argparse.SUPPRESS, help=argparse.SUPPRESS, **settings
    )
