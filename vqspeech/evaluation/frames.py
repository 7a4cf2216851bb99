"""Codes and phones, frame by frame: what every phoneme measure is counted on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vqspeech.alignment import SILENCE, Interval, labels_at
from vqspeech.alignment import boundaries as boundaries_of
from vqspeech.codes import Codes
from vqspeech.counts import counted
from vqspeech.errors import InputError

Ints = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Frames:
    """The frames of a set of utterances, one after another.

    Attributes:
        codes: integers in ``[0, codebook_size)``, shape ``(frames,)``.
        phones: integers, indices into ``labels``, shape ``(frames,)``.
        labels: the phones' names, sorted.
        codebook_size: number of codes.
        bounds: first frame of each utterance and the number of frames, shape ``(utterances + 1,)``.
        utterances: ids.
        speakers: the speaker of each utterance.
        frame_period: seconds from one frame to the next.
        offset: seconds to the centre of an utterance's first frame.
        boundaries: times of the phones' boundaries in seconds, one array per utterance; None where not known.
        strings: the phones of each utterance in turn, no two neighbours alike, those too short for a frame of their own
            included; None where frames were left out.
    """

    codes: Ints
    phones: Ints
    labels: tuple[str, ...]
    codebook_size: int
    bounds: NDArray[np.int64]
    utterances: tuple[str, ...]
    speakers: tuple[str, ...]
    frame_period: float
    offset: float
    boundaries: tuple[NDArray[np.float64], ...] | None = None
    strings: tuple[tuple[str, ...], ...] | None = None

    def __len__(self) -> int:
        return int(self.codes.size)

    def utterance_of_frame(self) -> NDArray[np.int64]:
        """Index of each frame's utterance, shape ``(frames,)``."""
        return np.repeat(np.arange(len(self.utterances)), np.diff(self.bounds))

    def sequences(self) -> list[Ints]:
        """The codes of each utterance."""
        return np.split(self.codes, self.bounds[1:-1]) if len(self.utterances) else []

    def with_codes(self, codes: ArrayLike, *, codebook_size: int | None = None) -> Frames:
        """The same frames under other codes, shape ``(frames,)``."""
        size = self.codebook_size if codebook_size is None else codebook_size
        return replace(self, codes=np.asarray(codes, np.int32), codebook_size=size)

    def keep(self, kept: NDArray[np.bool_]) -> Frames:
        """Those frames for which ``kept``, shape ``(frames,)``, is true; utterances stay, if with no frame.

        Boundaries and strings go: between frames that are left out there are none to find.
        """
        bounds = np.concatenate(([0], np.cumsum(kept)))[self.bounds]
        return replace(
            self, codes=self.codes[kept], phones=self.phones[kept], bounds=bounds, boundaries=None, strings=None
        )

    def first(self, count: int) -> Frames:
        """The first ``count`` utterances."""
        end = int(self.bounds[min(count, len(self.utterances))])
        return replace(
            self,
            codes=self.codes[:end],
            phones=self.phones[:end],
            bounds=self.bounds[: count + 1],
            utterances=self.utterances[:count],
            speakers=self.speakers[:count],
            boundaries=None if self.boundaries is None else self.boundaries[:count],
            strings=None if self.strings is None else self.strings[:count],
        )

    def relabelled(self, labels: tuple[str, ...]) -> Frames:
        """The same frames with ``labels``, of which its own are a part."""
        index = np.array([labels.index(label) for label in self.labels], np.int32)
        return replace(self, phones=index[self.phones] if len(index) else self.phones, labels=labels)


def frames(
    codes: Sequence[ArrayLike],
    phones: Sequence[Sequence[str] | NDArray[np.str_]],
    *,
    codebook_size: int | None = None,
    utterances: Sequence[str] | None = None,
    speakers: Sequence[str] | None = None,
    boundaries: Sequence[ArrayLike] | None = None,
    strings: Sequence[Sequence[str]] | None = None,
    frame_period: float = 0.01,
    offset: float | None = None,
) -> Frames:
    """Put the utterances of two lists of arrays one after another.

    Args:
        codes: an array of shape ``(frames,)`` an utterance.
        phones: the phones of the same frames.
        codebook_size: number of codes; one more than the highest when absent.
        utterances: ids; numbers when absent.
        speakers: the speaker of each utterance; one for all when absent.
        boundaries: times of the phones' boundaries in seconds, one array per utterance.
        strings: the phones of each utterance in turn; those of the frames, a run as one, when absent.
        frame_period: seconds from one frame to the next.
        offset: seconds to the centre of the first frame; half the period when absent.

    Raises:
        InputError: the lists do not fit each other, or there is not a single frame.
    """
    if len(codes) != len(phones):
        raise InputError(
            f"{counted(len(codes), 'utterance')} of codes, but {len(phones)} of phones",
            hint="give one sequence of each per utterance",
        )
    lengths = [len(np.asarray(sequence)) for sequence in codes]
    for index, (length, labels) in enumerate(zip(lengths, phones, strict=True)):
        if length != len(labels):
            raise InputError(
                f"utterance {index} has {counted(length, 'code')}, but {counted(len(labels), 'phone')}",
                hint="give one phone per code",
            )
    if not sum(lengths):
        raise InputError("no frames to evaluate", hint="give utterances that have codes")
    lists = (
        (utterances, "ids"),
        (speakers, "speakers"),
        (boundaries, "lists of boundaries"),
        (strings, "phone strings"),
    )
    for given, what in lists:
        if given is not None and len(given) != len(codes):
            raise InputError(
                f"{counted(len(codes), 'utterance')}, but {len(given)} {what}", hint="give one per utterance"
            )
    all_codes = np.concatenate([np.asarray(sequence) for sequence in codes if len(np.asarray(sequence))])
    if not np.issubdtype(all_codes.dtype, np.integer):
        raise InputError(f"codes are {all_codes.dtype}, not integers", hint="give indices of codes")
    size = int(all_codes.max()) + 1 if codebook_size is None else codebook_size
    if all_codes.min() < 0 or all_codes.max() >= size:
        raise InputError(f"a code is outside [0, {size})", hint="raise codebook_size, or leave it out")
    names, indices = np.unique(
        np.concatenate([np.asarray(row, str) for row in phones if len(row)]), return_inverse=True
    )
    return Frames(
        codes=all_codes.astype(np.int32),
        phones=indices.astype(np.int32),
        labels=tuple(names.tolist()),
        codebook_size=size,
        bounds=np.concatenate(([0], np.cumsum(lengths))).astype(np.int64),
        utterances=tuple(utterances) if utterances is not None else tuple(map(str, range(len(codes)))),
        speakers=tuple(speakers) if speakers is not None else ("",) * len(codes),
        frame_period=frame_period,
        offset=frame_period / 2 if offset is None else offset,
        boundaries=None if boundaries is None else tuple(np.asarray(row, np.float64) for row in boundaries),
        strings=tuple(_collapsed(map(str, row)) for row in (phones if strings is None else strings)),
    )


def _collapsed(labels: Iterable[str]) -> tuple[str, ...]:
    return tuple(label for label, _ in groupby(labels))


@dataclass(frozen=True, slots=True)
class Pairing:
    """Codes and an alignment brought together.

    Attributes:
        frames: of the utterances that have both.
        without_phones: utterances with codes and no phones, left out.
        without_codes: utterances with phones and no codes, left out.
        unlabelled: frames inside or after the alignment that no interval holds, taken for silence.
        length_ratio: median over the utterances of the codes' duration over the alignment's.
    """

    frames: Frames
    without_phones: tuple[str, ...]
    without_codes: tuple[str, ...]
    unlabelled: int
    length_ratio: float


def pair(
    codes: Codes,
    alignment: Mapping[str, Sequence[Interval]],
    *,
    speakers: Mapping[str, str] | None = None,
    where: str | None = None,
) -> Pairing:
    """Give each code the phone at the centre of its frame.

    Args:
        codes: a system's codes.
        alignment: phones, folded to the set they are to be counted in.
        speakers: utterance id -> speaker; the part of the id before the first ``-`` or ``_`` where it has none.
        where: name of the codes' file, for the error.

    Raises:
        InputError: no utterance has both codes and phones.
    """
    shared = [name for name, sequence in codes.sequences.items() if name in alignment and sequence.size]
    if not shared:
        ours, theirs = next(iter(codes.sequences), "none"), next(iter(alignment), "none")
        raise InputError(
            f"no utterance has both codes and phones: codes name {ours!r}, phones name {theirs!r}",
            where=where,
            hint="utterance ids must be the same in both",
        )
    gap = ""  # no label: a phone has a name
    rows, strings, unlabelled, ratios = [], [], 0, []
    for name in shared:
        sequence = codes.sequences[name]
        times = codes.info.times(sequence.size)
        labels = labels_at(alignment[name], times, gap=gap)
        missing = labels == gap
        unlabelled += int(missing.sum())
        rows.append(np.where(missing, SILENCE, labels))
        silent = ((float(time), SILENCE) for time in times[missing])
        placed = sorted([*((interval.start, interval.label) for interval in alignment[name]), *silent])
        strings.append([label for _, label in placed])
        end = max((interval.end for interval in alignment[name]), default=0.0)
        ratios.append(codes.info.duration(sequence.size) / end if end else np.inf)
    return Pairing(
        frames=frames(
            [codes.sequences[name] for name in shared],
            rows,
            codebook_size=codes.info.codebook_size,
            utterances=shared,
            speakers=[(speakers or {}).get(name) or guessed_speaker(name) for name in shared],
            boundaries=[boundaries_of(alignment[name]) for name in shared],
            strings=strings,
            frame_period=codes.info.frame_period,
            offset=codes.info.offset,
        ),
        without_phones=tuple(name for name in codes.sequences if name not in alignment),
        without_codes=tuple(name for name in alignment if name not in codes.sequences),
        unlabelled=unlabelled,
        length_ratio=float(np.median(ratios)),
    )


def frames_of_codes(codes: Codes, *, speakers: Mapping[str, str] | None = None) -> Frames:
    """The frames of codes whose phones are not known and not asked for: all are silence.

    Args:
        codes: a system's codes.
        speakers: utterance id -> speaker; as in :func:`pair` where it has none.

    Raises:
        InputError: there is not a single code.
    """
    kept = {name: sequence for name, sequence in codes.sequences.items() if sequence.size}
    return frames(
        list(kept.values()),
        [np.full(sequence.size, SILENCE) for sequence in kept.values()],
        codebook_size=codes.info.codebook_size,
        utterances=list(kept),
        speakers=[(speakers or {}).get(name) or guessed_speaker(name) for name in kept],
        frame_period=codes.info.frame_period,
        offset=codes.info.offset,
    )


def guessed_speaker(utterance: str) -> str:
    """The speaker by Kaldi's rule that utterance ids begin with it: ``p225_001`` -> ``p225``."""
    return utterance.replace("_", "-").split("-", 1)[0]
