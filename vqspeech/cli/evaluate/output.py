"""What the measures of ``vqspeech evaluate`` print and write alike."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vqspeech.errors import InputError
from vqspeech.files import atomic_open, sidecar_path

#: What the tables of the measures say beneath them.
BASELINES_WITHOUT_AUDIO = "note: no audio was given: --data DIR adds the MFCC rows"


def write(options: argparse.Namespace, name: str, found: dict[str, Any]) -> None:
    """Write JSON into ``--out``, where it was given."""
    if options.out:
        target = Path(options.out) / name
        given = getattr(options, "codes", None)
        if given and target.resolve() == sidecar_path(given).resolve():
            raise InputError(f"belongs to {given}", where=target, hint="give another --out")
        with atomic_open(target) as file:
            json.dump(found, file, indent=1, ensure_ascii=False)
            file.write("\n")
        print(f"written: {target}")


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns under their headings, the first to the left, the rest to the right."""
    lines = [list(headings), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    shown = []
    for first, *others in lines:
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        shown.append("  ".join([first.ljust(widths[0]), *cells]).rstrip())
    return "\n".join(shown)


def with_interval(value: float, interval: Sequence[float] | None, *, scale: float = 1.0, digits: int = 3) -> str:
    """``0.513 [0.490, 0.534]``, or the figure alone where it has no interval."""
    shown = f"{scale * value:.{digits}f}"
    if interval is None:
        return shown
    return f"{shown} [{scale * interval[0]:.{digits}f}, {scale * interval[1]:.{digits}f}]"
