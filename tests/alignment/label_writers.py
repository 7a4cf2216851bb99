"""Writers of the label formats that the package reads: what readers are tested against."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from vqspeech.alignment import Interval
from vqspeech.alignment.labels import HTK_UNIT, TIMIT_RATE
from vqspeech.errors import InputError


def _open(path: str | os.PathLike[str]) -> IO[str]:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    return Path(path).open("w", encoding="utf-8", newline="\n")


def write_timit(path: str | os.PathLike[str], intervals: Sequence[Interval], *, rate: int = TIMIT_RATE) -> None:
    """Write TIMIT's ``.phn`` or ``.wrd``."""
    with _open(path) as file:
        for start, end, label in intervals:
            file.write(f"{round(start * rate)} {round(end * rate)} {label}\n")


def write_lab(path: str | os.PathLike[str], intervals: Sequence[Interval]) -> None:
    """Write HTK's monophone ``.lab``, times in 100 ns."""
    with _open(path) as file:
        for start, end, label in intervals:
            file.write(f"{round(start / HTK_UNIT)} {round(end / HTK_UNIT)} {label}\n")


def write_audacity(path: str | os.PathLike[str], intervals: Sequence[Interval]) -> None:
    """Write labels that Audacity imports (File, Import, Labels),."""
    with _open(path) as file:
        for start, end, label in intervals:
            file.write(f"{start:.6f}\t{end:.6f}\t{label}\n")


def write_textgrid(
    path: str | os.PathLike[str],
    tiers: Mapping[str, Sequence[Interval]],
    *,
    duration: float | None = None,
    short: bool = False,
) -> None:
    """Write interval tiers, UTF-8; gaps become intervals without text, as Praat wants.

    Args:
        path: the file.
        tiers: tier name -> intervals, which must not overlap.
        duration: seconds of the recording; the last end when absent.
        short: Praat's short form.

    Raises:
        InputError: intervals overlap.
    """
    ends = [interval.end for intervals in tiers.values() for interval in intervals]
    end = max([*ends, duration or 0.0])
    filled = {name: _filled(intervals, end, path) for name, intervals in tiers.items()}
    lines = _short_lines(filled, end) if short else _long_lines(filled, end)
    with _open(path) as file:
        file.writelines(line + "\n" for line in lines)


def _filled(intervals: Sequence[Interval], end: float, path: str | os.PathLike[str]) -> list[Interval]:
    filled: list[Interval] = []
    last = 0.0
    for interval in [*sorted(intervals), Interval(end, end, "")]:
        if interval.start < last - 1e-6:
            raise InputError(
                f"{interval.label!r} starts at {interval.start:g} s, before the interval before it ends ({last:g} s)",
                where=path,
                hint="a TextGrid tier cannot hold overlaps",
            )
        if interval.start > last + 1e-6:
            filled.append(Interval(last, interval.start, ""))
            last = interval.start
        if interval.end > last:
            filled.append(Interval(last, interval.end, interval.label))
            last = interval.end
    return filled


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _header() -> list[str]:
    return ['File type = "ooTextFile"', 'Object class = "TextGrid"', ""]


def _short_lines(tiers: Mapping[str, list[Interval]], end: float) -> list[str]:
    lines = [*_header(), "0", f"{end!r}", "<exists>", str(len(tiers))]
    for name, intervals in tiers.items():
        lines += ['"IntervalTier"', _quoted(name), "0", f"{end!r}", str(len(intervals))]
        for interval in intervals:
            lines += [f"{interval.start!r}", f"{interval.end!r}", _quoted(interval.label)]
    return lines


def _long_lines(tiers: Mapping[str, list[Interval]], end: float) -> list[str]:
    lines = [*_header(), "xmin = 0 ", f"xmax = {end!r} ", "tiers? <exists> ", f"size = {len(tiers)} ", "item []: "]
    for index, (name, intervals) in enumerate(tiers.items(), 1):
        lines += [f"    item [{index}]:", '        class = "IntervalTier" ', f"        name = {_quoted(name)} "]
        lines += ["        xmin = 0 ", f"        xmax = {end!r} ", f"        intervals: size = {len(intervals)} "]
        for number, interval in enumerate(intervals, 1):
            lines += [
                f"        intervals [{number}]:",
                f"            xmin = {interval.start!r} ",
                f"            xmax = {interval.end!r} ",
                f"            text = {_quoted(interval.label)} ",
            ]
    return lines
