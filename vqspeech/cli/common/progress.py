"""How far a long command is, on stderr: a bar on a terminal, a line per minute elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

#: Seconds between two lines where stderr is no terminal.
EVERY = 60.0


def bar(title: str, unit: str) -> Callable[[int, int], None]:
    """Make a function of ``done, total`` that shows how far it is.

    Args:
        title: what is going on.
        unit: of what is counted.
    """
    return _bar(title, unit) if sys.stderr.isatty() else _lines(title, unit)


def _bar(title: str, unit: str) -> Callable[[int, int], None]:
    from tqdm import tqdm

    shown: tqdm[Any] | None = None

    def draw(done: int, total: int) -> None:
        nonlocal shown
        if shown is None:  # not before there is something to tell: several may be waiting for their turn
            shown = tqdm(desc=title, unit=unit, dynamic_ncols=True, leave=False)
        shown.total = total
        shown.update(done - shown.n)
        if done == total:
            shown.close()

    return draw


def _lines(title: str, unit: str) -> Callable[[int, int], None]:
    began = shown_at = time.monotonic()

    def draw(done: int, total: int) -> None:
        nonlocal shown_at
        now = time.monotonic()
        if now - shown_at < EVERY or done >= total > 0:
            return
        shown_at = now
        left = f", {(now - began) * (total - done) / done / 60:.0f} min left" if 0 < done < total else ""
        of = f" of {total}" if total else ""
        print(f"{title}: {done}{of} {unit}s{left}", file=sys.stderr, flush=True)

    return draw
