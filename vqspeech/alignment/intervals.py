"""Labelled intervals of time, and what can be wrong with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: The label of what no interval covers: aligners leave pauses out.
SILENCE = "sil"


class Interval(NamedTuple):
    """One label from ``start`` to ``end``, in seconds."""

    start: float
    end: float
    label: str


#: Seconds by which the times of neighbours may disagree: CTM files are often rounded to 10 ms.
ROUNDING = 0.011


def meet(before: Interval, after: Interval) -> bool:
    """Whether nothing but rounding lies between two neighbours; a longer gap is a pause that was left out."""
    return after.start - before.end <= ROUNDING


#: Utterance id -> its intervals, in order of time.
Alignment = dict[str, list[Interval]]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with an alignment.

    Attributes:
        utterance: where it is.
        kind: what it is.
        start: seconds at which it begins.
        end: seconds at which it ends.
        labels: the labels before and after it.
    """

    utterance: str
    kind: Literal["gap", "overlap", "past the end", "empty", "before the start"]
    start: float
    end: float
    labels: tuple[str, str]

    def __str__(self) -> str:
        names = " and ".join(repr(label) for label in self.labels if label)
        between = "between" if self.kind in ("gap", "overlap") else "at"
        return f"{self.utterance}: {self.kind} from {self.start:.4f} to {self.end:.4f} s {between} {names}"


def faults(
    alignment: Mapping[str, Sequence[Interval]],
    durations: Mapping[str, float] | None = None,
    *,
    tolerance: float = ROUNDING,
) -> list[Fault]:
    """Gaps, overlaps, empty intervals and times outside the recording.

    Args:
        alignment: utterance id -> intervals.
        durations: utterance id -> seconds of its recording; ends are checked for those named.
        tolerance: seconds by which times may disagree.
    """
    found: list[Fault] = []
    for utterance, intervals in alignment.items():
        ordered = sorted(intervals)
        for interval in ordered:
            start, end, label = interval
            if end <= start:
                found.append(Fault(utterance, "empty", start, end, (label, "")))
            if start < -tolerance:
                found.append(Fault(utterance, "before the start", start, min(end, 0.0), (label, "")))
        for before, after in pairwise(ordered):
            labels = (before.label, after.label)
            if after.start - before.end > tolerance:
                found.append(Fault(utterance, "gap", before.end, after.start, labels))
            elif before.end - after.start > tolerance:
                found.append(Fault(utterance, "overlap", after.start, min(before.end, after.end), labels))
        duration = (durations or {}).get(utterance)
        if ordered and duration is not None:
            last = max(ordered, key=lambda interval: interval.end)
            if last.end > duration + tolerance:
                found.append(Fault(utterance, "past the end", duration, last.end, (last.label, "")))
    return found


def labels_at(intervals: Sequence[Interval], times: ArrayLike, *, gap: str = SILENCE) -> NDArray[np.str_]:
    """The label at each time.

    An interval holds its start and not its end, so that a time on a boundary has one label; where intervals
    overlap, the one that starts later counts.

    Args:
        intervals: of one utterance, in any order.
        times: seconds, shape ``(frames,)``.
        gap: the label of times that no interval holds.

    Returns:
        Labels, shape ``(frames,)``.
    """
    moments = np.asarray(times, np.float64)
    if not len(intervals):
        return np.full(moments.shape, gap)
    ordered = sorted(intervals)
    starts = np.array([interval.start for interval in ordered])
    ends = np.array([interval.end for interval in ordered])
    labels = np.array([interval.label for interval in ordered] + [gap])
    # A time computed as a sum (offset + n * period) may miss a boundary it lies on by a rounding error.
    index = np.searchsorted(starts, moments + 1e-9, side="right") - 1
    held = (index >= 0) & (moments + 1e-9 < ends[np.maximum(index, 0)])
    return labels[np.where(held, index, len(ordered))]


def boundaries(intervals: Sequence[Interval]) -> NDArray[np.float64]:
    """Times inside the utterance at which one phone ends and the next begins, in seconds, sorted, ``(boundaries,)``.

    Two neighbours of one label (*ten nails*) have a boundary between them; silence has none inside it, whether it is
    written or left out. A gap no longer than ``ROUNDING`` is one boundary: where the later interval starts. The start
    of the first interval and the end of the last are none: every system finds them.

    Args:
        intervals: of one utterance, in any order.
    """
    moments: list[float] = []
    for before, after in pairwise(sorted(intervals)):
        silent = before.label == SILENCE, after.label == SILENCE
        if not meet(before, after):
            # A pause that was left out: silence between two phones, and the longer silence beside one.
            moments += [] if silent[0] else [before.end]
            moments += [] if silent[1] else [after.start]
        elif not all(silent):
            moments.append(after.start)
    return np.unique(np.array(moments, np.float64))
