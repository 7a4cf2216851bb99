"""Label files, one file per utterance: TIMIT's ``.phn`` and ``.wrd``, HTK's and HTS's ``.lab``, Audacity's labels."""

from __future__ import annotations

import os
import re
from pathlib import Path

from vqspeech.alignment.intervals import Interval
from vqspeech.alignment.lines import lines_of, number
from vqspeech.errors import InputError

#: Seconds of one unit of time in HTK's labels.
HTK_UNIT = 1e-7
TIMIT_RATE = 16_000

_FULL_CONTEXT = re.compile(r"^[^-]*\^[^-]*-(?P<phone>[^+]+)\+")
_TRIPHONE = re.compile(r"^[^-+]+-(?P<phone>[^-+]+)(?:\+[^-+]+)?$|^(?P<first>[^-+]+)\+[^-+]+$")
_STATE = re.compile(r"\[(?P<state>\d+)\]$")


def _interval(
    start: float, end: float, label: str, path: Path, line: int, previous: list[Interval], hint: str
) -> Interval:
    if start < 0:
        raise InputError(f"a start below 0: {start:g}", where=path, line=line, hint=hint)
    if end < start:
        raise InputError(f"it ends ({end:g} s) before it starts ({start:g} s)", where=path, line=line, hint=hint)
    if previous and start < previous[-1].start:
        raise InputError("it starts before the line above does", where=path, line=line, hint="sort the lines by time")
    return Interval(start, end, label)


def _not_empty(intervals: list[Interval], path: Path, hint: str) -> list[Interval]:
    if not intervals:
        raise InputError("no intervals in it", where=path, hint=hint)
    return intervals


def read_timit(path: str | os.PathLike[str], *, rate: int = TIMIT_RATE) -> list[Interval]:
    """Read TIMIT's ``.phn``, ``.wrd`` or ``.txt``: ``first-sample end-sample label``.

    Args:
        path: the file.
        rate: samples per second; TIMIT's is 16,000.

    Raises:
        InputError: naming file and line.
    """
    path, hint = Path(path), "a line is: first-sample end-sample label"
    intervals: list[Interval] = []
    for line, text in lines_of(path):
        words = text.split(None, 2)
        if not words:
            continue
        if len(words) < 3:
            raise InputError(f"{len(words)} fields", where=path, line=line, hint=hint)
        start, end = (_whole(word, name, path, line, hint) for word, name in zip(words, ("start", "end"), strict=False))
        intervals.append(_interval(start / rate, end / rate, words[2].strip(), path, line, intervals, hint))
    return _not_empty(intervals, path, hint)


def _whole(word: str, name: str, path: Path, line: int, hint: str) -> int:
    value = number(word, name, path, line, hint)
    if value != int(value):
        raise InputError(f"{name} {word!r} is no whole number", where=path, line=line, hint=hint)
    return int(value)


def central_phone(label: str) -> str:
    """The phone an HTS or HTK label is about: of ``a^b-c+d=e@1_2/A:...`` or ``b-c+d``, the ``c``."""
    found = _FULL_CONTEXT.match(label) or _TRIPHONE.match(label)
    if not found:
        return label
    names = found.groupdict()
    return names["phone"] or names["first"]


def read_lab(path: str | os.PathLike[str]) -> list[Interval]:
    """Read HTK's or HTS's ``.lab``: ``start end label``, times in 100 ns; monophone, triphone or full-context labels.

    The phone in the middle of a context label is kept; state-level lines (``label[2]`` to ``label[6]``) become
    one interval a phone; HTK's scores after the label are passed over. A header that ends with ``#`` marks the
    ESPS form that Festival and CMU ARCTIC write (``end-in-seconds number label``), read as well.

    Raises:
        InputError: naming file and line.
    """
    path = Path(path)
    lines = [(line, text) for line, text in lines_of(path) if text.strip()]
    header = next((index for index, (_, text) in enumerate(lines) if text.strip() == "#"), None)
    if header is not None:
        return _read_esps(path, lines[header + 1 :])
    hint = "a line is: start end label, times in 100 ns"
    intervals: list[Interval] = []
    last_state: int | None = None
    for line, text in lines:
        words = text.split()
        if len(words) < 3:
            raise InputError(f"{len(words)} fields", where=path, line=line, hint=hint)
        start = _whole(words[0], "start", path, line, hint) * HTK_UNIT
        end = _whole(words[1], "end", path, line, hint) * HTK_UNIT
        state = _STATE.search(words[2])
        phone = central_phone(_STATE.sub("", words[2]))
        interval = _interval(start, end, phone, path, line, intervals, hint)
        number_of_state = int(state["state"]) if state else None
        if (
            number_of_state is not None
            and last_state is not None
            and number_of_state > last_state
            and intervals[-1].label == phone
        ):
            intervals[-1] = intervals[-1]._replace(end=end)
        else:
            intervals.append(interval)
        last_state = number_of_state
    return _not_empty(intervals, path, hint)


def _read_esps(path: Path, lines: list[tuple[int, str]]) -> list[Interval]:
    hint = "a line is: end-in-seconds number label"
    intervals: list[Interval] = []
    start = 0.0
    for line, text in lines:
        words = text.split()
        if len(words) < 3:
            raise InputError(f"{len(words)} fields", where=path, line=line, hint=hint)
        end = number(words[0], "end", path, line, hint)
        intervals.append(_interval(start, end, words[2], path, line, intervals, hint))
        start = end
    return _not_empty(intervals, path, hint)


def read_audacity(path: str | os.PathLike[str]) -> list[Interval]:
    r"""Read Audacity's exported labels: ``start<TAB>end<TAB>label`` in seconds; spectral lines (``\``) are passed over.

    Raises:
        InputError: naming file and line.
    """
    path, hint = Path(path), "a line is: start TAB end TAB label, times in seconds"
    intervals: list[Interval] = []
    for line, text in lines_of(path):
        if not text.strip() or text.startswith("\\"):
            continue
        words = text.split("\t")
        if len(words) < 2:
            raise InputError("no tab-separated start and end", where=path, line=line, hint=hint)
        # Audacity writes numbers as the user's country does.
        start = number(words[0].strip().replace(",", "."), "start", path, line, hint)
        end = number(words[1].strip().replace(",", "."), "end", path, line, hint)
        label = words[2].strip() if len(words) > 2 else ""
        intervals.append(_interval(start, end, label, path, line, intervals, hint))
    return _not_empty(intervals, path, hint)
