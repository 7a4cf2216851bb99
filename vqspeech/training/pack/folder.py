"""A pack, be it a file or a folder of such files, which is all of their speech one speaker after another.

Files of one folder may share speakers: a speaker's utterances in the first file come first. So a data directory that
was packed in shards (``vqspeech pack --shards``) is the same as in one file, sample by sample.
"""

from __future__ import annotations

import bisect
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from vqspeech.errors import InputError
from vqspeech.training.pack.file import HINT, PackFile, open_file
from vqspeech.training.pack.ids import IdSequence
from vqspeech.training.pack.speech import PITCH_HOP, Pack

T = TypeVar("T")
#: How the files of shards of a data directory are called.
_SHARD = re.compile(r"(\d+)-of-(\d+)\.pack")


def read_pack(path: str | os.PathLike[str]) -> Pack:
    """Map a pack.

    Args:
        path: a file, or a folder of such files.

    Raises:
        InputError: not a pack, or cut short; or the files of a folder do not belong together.
    """
    if files := pack_files(Path(path)):
        return _joined([open_file(file) for file in files])
    found = open_file(Path(path))
    found.ends()
    return found.pack


def pack_files(path: Path) -> list[Path]:
    """The files of a folder of packs; none if the path is something else.

    Raises:
        InputError: one of the shards that a data directory was packed in is not there.
    """
    files = sorted(path.glob("*.pack")) if path.is_dir() and not (path / "wav.scp").exists() else []
    shards = [found for file in files if (found := _SHARD.fullmatch(file.name))]
    for count in {int(found[2]) for found in shards}:
        missing = set(range(1, count + 1)) - {int(found[1]) for found in shards if int(found[2]) == count}
        if missing:
            raise InputError(
                f"shard {min(missing)} of {count} is not there",
                where=path,
                hint=f"vqspeech pack ... --shards {count} --shard {min(missing)}",
            )
    return files


@dataclass(frozen=True)
class _Run:
    """A speaker's part of a file.

    Attributes:
        file: its number.
        samples: its first sample there, and the one after the last.
        utterances: the same of utterances.
    """

    file: int
    samples: tuple[int, int]
    utterances: tuple[int, int]


def _joined(files: Sequence[PackFile]) -> Pack:
    first = files[0].pack
    for file in files[1:]:
        for what in ("sample_rate", "rms"):
            if getattr(file.pack, what) != getattr(first, what):
                raise InputError(f"another {what} than {files[0].path.name} has", where=file.path, hint=HINT)
        if len(file.pack.perturbed) != len(first.perturbed) or bool(len(file.pack.pitch)) != bool(len(first.pitch)):
            raise InputError(f"not packed with the options of {files[0].path.name}", where=file.path, hint=HINT)
    runs: dict[str, list[_Run]] = {}
    for number, file in enumerate(files):
        samples, utterances = (
            np.concatenate([[0], ends]).tolist() for ends in (file.pack.speaker_ends, file.speaker_utterances)
        )
        for place, speaker in enumerate(file.pack.speakers):
            run = _Run(number, (samples[place], samples[place + 1]), (utterances[place], utterances[place + 1]))
            runs.setdefault(speaker, []).append(run)
    speakers = sorted(runs, key=lambda name: name.encode(errors="surrogateescape"))
    order = [run for speaker in speakers for run in runs[speaker]]
    lengths = [sum(run.samples[1] - run.samples[0] for run in runs[speaker]) for speaker in speakers]
    sample_pieces = [(run.file, run.samples) for run in order]
    utterance_pieces = [(run.file, run.utterances) for run in order]
    stops = np.cumsum([run.samples[1] - run.samples[0] for run in order])
    ends = _Ends(files, utterance_pieces, [int(stop) - run.samples[1] for stop, run in zip(stops, order, strict=True)])
    joined = Joined([file.pack.samples for file in files], sample_pieces)
    return Pack(
        samples=joined,
        perturbed=tuple(
            Joined([file.pack.perturbed[copy] for file in files], sample_pieces) for copy in range(len(first.perturbed))
        ),
        ends=ends,
        speaker_ends=np.cumsum(lengths, dtype=np.int64),
        sample_rate=first.sample_rate,
        rms=first.rms,
        speakers=tuple(speakers),
        utterances=_JoinedIds([file.pack.utterances for file in files], utterance_pieces),
        pitch=_JoinedContour(joined, [file.pack.pitch for file in files])
        if len(first.pitch)
        else np.zeros(0, np.int16),
    )


class _Pieces(Generic[T]):
    """Spans of some arrays one after another.

    Args:
        sources: the arrays.
        pieces: which of them, and its first place there and the one after the last.
    """

    def __init__(self, sources: Sequence[T], pieces: Sequence[tuple[int, tuple[int, int]]]) -> None:
        self.sources = sources
        self.pieces = pieces
        self.stops = np.cumsum([stop - start for _, (start, stop) in pieces], dtype=np.int64)

    def __len__(self) -> int:
        """How many values."""
        return int(self.stops[-1])

    def locate(self, place: int) -> tuple[int, int]:
        """Which piece a place is in, and where in its source."""
        piece = bisect.bisect_right(self.stops, place)
        return piece, self.pieces[piece][1][1] + place - int(self.stops[piece])


class Joined(_Pieces[Any]):
    """Spans of some arrays one after another, indexed as one array is, and read where it is indexed."""

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice | NDArray[np.integer]) -> NDArray[Any]: ...
    def __getitem__(self, index: int | slice | NDArray[np.integer]) -> Any:
        """A value, those of a slice without steps, or those at some places, in their shape."""
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            assert step == 1
            return self._slice(start, stop)
        if isinstance(index, np.ndarray):
            return self._gather(index)
        piece, place = self.locate(range(len(self))[index])
        return self._value(piece, self._source(piece)[place])

    def _source(self, piece: int) -> Any:
        return self.sources[self.pieces[piece][0]]

    def _value(self, piece: int, found: Any) -> Any:  # noqa: ARG002 - for those that shift what they find
        return found

    def _slice(self, start: int, stop: int) -> NDArray[Any]:
        parts = []
        while start < stop:
            piece, place = self.locate(start)
            count = min(stop, int(self.stops[piece])) - start
            parts.append(self._value(piece, self._source(piece)[place : place + count]))
            start += count
        if len(parts) == 1:
            return np.asarray(parts[0])
        return np.concatenate(parts) if parts else self._source(0)[:0]

    def _gather(self, index: NDArray[np.integer]) -> NDArray[Any]:
        flat = index.ravel()
        pieces = np.searchsorted(self.stops, flat, side="right")  # (places,)
        found = np.empty(len(flat), self._source(0).dtype)
        for piece in np.unique(pieces):
            here = pieces == piece
            places = self.pieces[piece][1][1] + flat[here] - self.stops[piece]
            found[here] = self._value(int(piece), self._source(int(piece))[places])
        return found.reshape(index.shape)


class _Ends(Joined):
    """Where utterances end: each file's are checked when they are first needed."""

    def __init__(
        self, files: Sequence[PackFile], pieces: Sequence[tuple[int, tuple[int, int]]], shifts: list[int]
    ) -> None:
        super().__init__(_Later([file.ends for file in files]), pieces)
        self.shifts = shifts

    def _value(self, piece: int, found: Any) -> Any:
        return found + self.shifts[piece]


class _Later(Sequence[Any]):
    """What is made when it is first asked for."""

    def __init__(self, makers: Sequence[Callable[[], Any]]) -> None:
        self.makers = makers
        self.made: dict[int, Any] = {}

    def __len__(self) -> int:
        return len(self.makers)

    def __getitem__(self, index: Any) -> Any:
        if index not in self.made:
            self.made[index] = self.makers[index]()
        return self.made[index]


class _JoinedIds(_Pieces[Sequence[str]], IdSequence):
    """The ids of the utterances of some files."""

    def at(self, place: int) -> str:
        """The id at ``place``, from 0 on."""
        piece, place = self.locate(place)
        return self.sources[self.pieces[piece][0]][place]

    def __iter__(self) -> Iterator[str]:
        """All in order."""
        for file, (start, stop) in self.pieces:
            yield from self.sources[file][start:stop]


class _JoinedContour:
    """F0 on the grid of each file, whose hops begin at its own first sample."""

    def __init__(self, samples: Joined, contours: Sequence[Any]) -> None:
        self.samples, self.contours = samples, contours

    def __len__(self) -> int:
        """How many values, about."""
        return -(-len(self.samples) // PITCH_HOP)

    @cached_property
    def _grid(self) -> Joined:
        """A value for each sample."""
        return Joined([_Hops(contour) for contour in self.contours], self.samples.pieces)

    def at(self, samples: NDArray[np.int64]) -> NDArray[np.int16]:
        """See ``Contour``."""
        return self._grid[samples]

    def between(self, start: int, stop: int) -> NDArray[np.int16]:
        """See ``Contour``."""
        parts = [np.zeros(0, np.int16)]
        while start < stop:
            piece, place = self.samples.locate(start)
            count = min(stop, int(self.samples.stops[piece])) - start
            contour = self.contours[self.samples.pieces[piece][0]]
            parts.append(contour[place // PITCH_HOP : (place + count) // PITCH_HOP])
            start += count
        return np.concatenate(parts)


class _Hops:
    """A contour indexed by samples."""

    dtype = np.dtype(np.int16)

    def __init__(self, contour: NDArray[np.int16]) -> None:
        self.contour = contour

    def __getitem__(self, samples: NDArray[np.int64]) -> NDArray[np.int16]:
        return self.contour[samples // PITCH_HOP]
