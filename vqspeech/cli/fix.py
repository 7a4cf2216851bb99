"""Repair Kaldi data directories in place: sort them, drop what is incomplete, make spk2utt anew.

The files as they were are kept in .backup/ inside the directory. The exit status is 1 when faults remain.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from vqspeech.datadir import fix, validate

#: Notes shown of one directory.
_SHOWN = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument("directories", nargs="+", type=Path, metavar="DIR", help="a data directory")


def run(options: argparse.Namespace) -> int:
    """Print what was done and what is left; 1 when faults remain."""
    failed = False
    for path in options.directories:
        notes = fix(path)
        for note in notes[:_SHOWN] or ["nothing to do"]:
            print(f"{path}: {note}")
        if len(notes) > _SHOWN:
            print(f"{path}: ... {len(notes) - _SHOWN} more, the last of them: {notes[-1]}")
        remaining = validate(path, require_text=False)
        failed = failed or bool(remaining)
        for issue in remaining:
            print(f"cannot be repaired: {issue}")
    return int(failed)
