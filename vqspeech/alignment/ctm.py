"""CTM, one file a corpus: ``utterance channel start duration label``, times in seconds."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from vqspeech.alignment.intervals import Alignment, Interval
from vqspeech.alignment.lines import lines_of, number
from vqspeech.errors import InputError
from vqspeech.files import atomic_open

CURE = "a line is: utterance channel start duration label"


def read_ctm(path: str | os.PathLike[str]) -> Alignment:
    """Read a CTM file; a sixth field (confidence) is passed over, lines that begin with ``;;`` are comments.

    Raises:
        InputError: naming file and line, for a missing field, a time that is no number or below 0.
    """
    path = Path(path)
    alignment: Alignment = {}
    for line, text in lines_of(path):
        words = text.split()
        if not words or text.startswith(";;"):
            continue
        if len(words) not in (5, 6):
            raise InputError(f"{len(words)} fields", where=path, line=line, hint=CURE)
        start = number(words[2], "start", path, line, CURE)
        duration = number(words[3], "duration", path, line, CURE)
        if start < 0 or duration < 0:
            raise InputError(f"a time below 0: {words[2]} {words[3]}", where=path, line=line, hint=CURE)
        alignment.setdefault(words[0], []).append(Interval(start, start + duration, words[4]))
    if not alignment:
        raise InputError("no intervals in it", where=path, hint=CURE)
    for intervals in alignment.values():
        _close_rounding(intervals)
    return alignment


def _close_rounding(intervals: list[Interval]) -> None:
    """Sort, and let neighbours meet where start + duration misses the next start by float rounding alone."""
    intervals.sort()
    for index, (before, after) in enumerate(pairwise(intervals)):
        if math.isclose(before.end, after.start, abs_tol=1e-6, rel_tol=0):
            intervals[index] = before._replace(end=after.start)


def write_ctm(path: str | os.PathLike[str], alignment: Mapping[str, Sequence[Interval]]) -> None:
    """Write a CTM file in one step, times to a tenth of a millisecond."""
    with atomic_open(path) as file:
        for utterance, intervals in alignment.items():
            for interval in intervals:
                # The duration from the rounded times, so that the rounded intervals still meet.
                start, end = round(interval.start, 4), round(interval.end, 4)
                file.write(f"{utterance} 1 {start:.4f} {end - start:.4f} {interval.label}\n")
