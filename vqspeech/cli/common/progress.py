"""One line on stderr that shows how far a long command is."""

from __future__ import annotations

import sys
from collections.abc import Callable


def bar(title: str, unit: str) -> Callable[[int, int], None]:
    """Make a function of ``done, total`` that draws a progress bar; quiet where stderr is no terminal.

    Args:
        title: what is going on.
        unit: of what is counted.
    """
    from tqdm import tqdm

    shown = tqdm(desc=title, unit=unit, disable=not sys.stderr.isatty(), dynamic_ncols=True, leave=False)

    def draw(done: int, total: int) -> None:
        shown.total = total
        shown.update(done - shown.n)
        if done == total:
            shown.close()

    return draw
