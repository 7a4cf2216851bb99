"""A sequence of ids, of which a slice is a tuple, whatever holds the ids."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import overload


class IdSequence(Sequence[str]):
    """Ids of utterances that are read when they are asked for."""

    @abstractmethod
    def at(self, place: int) -> str:
        """The id at ``place``, from 0 on."""

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...
    def __getitem__(self, index: int | slice) -> str | tuple[str, ...]:
        """The id of an utterance, or several."""
        if isinstance(index, slice):
            return tuple(self.at(place) for place in range(*index.indices(len(self))))
        return self.at(range(len(self))[index])
