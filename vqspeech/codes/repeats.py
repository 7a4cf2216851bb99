"""Ids that are there twice, among so many that they are not held: eight bytes for each."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from typing import TypeVar

import numpy as np

_Item = TypeVar("_Item")


class Repeats:
    """Finds what bears the same id, in two passes, of which the second is not made where nothing does.

    >>> repeats = Repeats()
    >>> for name in ("a", "b", "a"):
    ...     repeats.add(name)
    >>> list(repeats.pairs([("a", 1), ("b", 2), ("a", 3)]))
    [(1, 3)]
    """

    def __init__(self) -> None:
        self._hashes = array("q")

    def __len__(self) -> int:
        return len(self._hashes)

    def add(self, name: str) -> None:
        """Note an id; all are noted before ``pairs`` is asked for."""
        self._hashes.append(hash(name))

    def pairs(self, again: Iterable[tuple[str, _Item]]) -> Iterator[tuple[_Item, _Item]]:
        """The first item of an id with each later one.

        Args:
            again: all ids that were noted, each with what is to be said of it; read only if some hashes are equal.
        """
        ordered = np.sort(np.frombuffer(self._hashes, np.int64)) if self._hashes else np.empty(0, np.int64)
        suspects = set(ordered[1:][ordered[1:] == ordered[:-1]].tolist())
        if not suspects:
            return
        first: dict[str, _Item] = {}
        for name, item in again:
            if hash(name) not in suspects:
                continue
            if name in first:
                yield first[name], item
            else:
                first[name] = item
