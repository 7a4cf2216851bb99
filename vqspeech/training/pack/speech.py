"""Packed speech as training sees it, whether it lies in one file or in many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, overload

import numpy as np
from numpy.typing import NDArray

#: Samples per value of F0, and its unit.
PITCH_HOP, PITCH_UNIT = 80, 0.1
#: Values of F0 that statistics of a speaker are of, at most (75 minutes at 16 kHz), and in how many spans.
MOST_VALUES, SPANS = 900_000, 100


class Stored(Protocol):
    """What lies on the disk and is read piece by piece, as NumPy's arrays are indexed: ``(total,)``."""

    def __len__(self) -> int:
        """How many values."""

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice | NDArray[np.integer]) -> NDArray[Any]: ...


class Contour(Protocol):
    """F0 in units of ``PITCH_UNIT``."""

    def __len__(self) -> int:
        """How many values."""

    def at(self, samples: NDArray[np.int64]) -> NDArray[np.int16]:
        """The values nearest to samples, in their shape."""

    def between(self, start: int, stop: int) -> NDArray[np.int16]:
        """The values of the hops of samples [start, stop)."""


@dataclass(frozen=True)
class Pack:
    """Packed speech, memory-mapped.

    Attributes:
        samples: int16 ``(total,)``.
        perturbed: int16 ``(copies, total)``, indexed by copy, then by sample.
        pitch: int16 ``(ceil(total / PITCH_HOP),)``, or ``(0,)``; of a folder a ``Contour``.
        ends: int64 ``(utterances,)``.
        speaker_ends: int64 ``(speakers,)``.
        sample_rate: in Hz.
        rms: level of active speech.
        speakers: names.
        utterances: ids.
        recordings: checksum of what it was made of, see ``recordings_of``; None of a pack of an earlier version, and of
            a folder.
        seed: of the perturbation; None of a pack of an earlier version, and of a folder.
    """

    samples: Stored
    perturbed: Sequence[Stored] | NDArray[np.int16]
    ends: Stored
    speaker_ends: NDArray[np.int64]
    sample_rate: int
    rms: float
    speakers: tuple[str, ...]
    utterances: Sequence[str]
    pitch: NDArray[np.int16] | Contour = field(default_factory=lambda: np.zeros(0, np.int16))
    recordings: str | None = None
    seed: int | None = None

    def f0(self, centres: NDArray[np.int64]) -> NDArray[np.float32]:
        """F0 in Hz at the samples ``centres``, 0 where unvoiced; shape as given."""
        values = self.pitch[centres // PITCH_HOP] if isinstance(self.pitch, np.ndarray) else self.pitch.at(centres)
        found: NDArray[np.float32] = values.astype(np.float32) * np.float32(PITCH_UNIT)
        return found

    def speaker_f0(self, speaker: int) -> NDArray[np.float32]:
        """F0 of a speaker in Hz, 0 where unvoiced; of very much speech that of spans spread evenly over it.

        Returns:
            ``(values,)``, ``MOST_VALUES`` at most, one per hop.
        """
        start, end = self.speaker_range(speaker)
        between = self._between if isinstance(self.pitch, np.ndarray) else self.pitch.between
        if end - start <= MOST_VALUES * PITCH_HOP:
            values = between(start, end)
        else:
            length = MOST_VALUES // SPANS * PITCH_HOP
            firsts = np.linspace(start, end - length, SPANS).astype(int).tolist()
            values = np.concatenate([between(first, first + length) for first in firsts])
        return values.astype(np.float32) * np.float32(PITCH_UNIT)

    def _between(self, start: int, stop: int) -> NDArray[np.int16]:
        assert isinstance(self.pitch, np.ndarray)
        return self.pitch[start // PITCH_HOP : stop // PITCH_HOP]

    @property
    def seconds(self) -> float:
        """Duration of all utterances."""
        return len(self.samples) / self.sample_rate

    def speaker_range(self, speaker: int) -> tuple[int, int]:
        """First sample of a speaker and the one after the last."""
        return int(self.speaker_ends[speaker - 1]) if speaker else 0, int(self.speaker_ends[speaker])

    @property
    def speaker_ranges(self) -> list[tuple[int, int]]:
        """``speaker_range`` of every speaker."""
        return [self.speaker_range(speaker) for speaker in range(len(self.speakers))]
