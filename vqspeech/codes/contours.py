"""The intonation of encoded utterances, ``f0.txt``: F0 contours beside the codes, as a second small stream.

``f0.txt`` has one line per utterance: its id, then F0 in Hz for each frame, 0 where unvoiced. Beside it, ``f0.json``
holds the times of the frames: ``{"frame_period": 0.004, "offset": 0.002}``, in seconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from vqspeech import ranges
from vqspeech.codes.archive import PathLike, decode_line, read_numbers
from vqspeech.codes.resumable_lines import ResumableLines
from vqspeech.errors import InputError, located
from vqspeech.files import sidecar_path

#: Largest F0 that is taken for one, in Hz.
HIGHEST = 2000.0


@dataclass(frozen=True, slots=True)
class FrameTimes:
    """The content of ``f0.json``.

    Attributes:
        frame_period: seconds from one value to the next.
        offset: seconds from the start of the recording to the first value.
    """

    frame_period: float
    offset: float


@dataclass(frozen=True, slots=True)
class Contours:
    """F0 contours of a set of utterances.

    Attributes:
        times: of the frames.
        f0: utterance id -> ``(frames,)`` in Hz, 0 where unvoiced, in the order of the file.
    """

    times: FrameTimes
    f0: dict[str, NDArray[np.float32]]

    def at(self, utterance: str, times: FrameTimes, count: int) -> NDArray[np.float32]:
        """The nearest values at other frame times, ``(count,)`` in Hz; beyond the last frame, unvoiced.

        Raises:
            KeyError: there is no such utterance.
        """
        track = self.f0[utterance]
        wanted = times.offset + times.frame_period * np.arange(count)  # (count,) seconds
        index = np.rint((wanted - self.times.offset) / self.times.frame_period).astype(np.int64)
        inside = (index >= 0) & (index < len(track))
        if not len(track):
            return np.zeros(count, np.float32)
        found: NDArray[np.float32] = np.where(inside, track[index.clip(0, len(track) - 1)], 0).astype(np.float32)
        return found


class ContourWriter:
    """Writes ``f0.txt`` utterance by utterance; killed, it goes on where it was, see ``ResumableLines``.

    Args:
        path: the ``f0.txt`` to make.
        times: of the frames.
        sources: what the contours are of, in words that differ where it does.

    Attributes:
        done: ids of the utterances that are written.
    """

    def __init__(self, path: PathLike, times: FrameTimes, sources: Iterable[object] = ()) -> None:
        self.path = Path(path)
        self._lines = ResumableLines(path, json.dumps(asdict(_checked(times, None))) + "\n", sources)

    @property
    def done(self) -> set[str]:
        """Ids of the utterances that are written."""
        return self._lines.done

    def __enter__(self) -> ContourWriter:
        self._lines.__enter__()
        return self

    def append(self, utterance: str, f0: NDArray[np.floating]) -> None:
        """Write one contour, ``(frames,)`` in Hz; values are kept to the last bit of a float32.

        Raises:
            InputError: the id has white space or is written already.
        """
        self._lines.append(utterance, ("0" if value == 0 else str(value) for value in f0.astype(np.float32)))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.__exit__(kind, error, trace)


def read_contours(path: PathLike) -> Contours:
    """Read ``f0.txt`` and the ``f0.json`` beside it.

    Raises:
        InputError: naming file and line, for what is no F0, an utterance that occurs twice, or a fault of ``f0.json``.
        OSError: a file cannot be read.
    """
    path = Path(path)
    found: dict[str, NDArray[np.float32]] = {}
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            words = decode_line(raw, path, number, "f0.txt").split()
            if not words:
                raise InputError("an empty line", where=path, line=number, hint="remove it")
            if words[0] in found:
                raise InputError(f"utterance {words[0]} occurs twice", where=path, line=number, hint="keep one of them")
            found[words[0]] = _parse(words[1:], path, number)
    return Contours(_read_times(sidecar_path(path)), found)


def _parse(words: list[str], path: Path, line: int) -> NDArray[np.float32]:
    hint = "a line is: utterance-id, then F0 in Hz per frame, 0 where unvoiced"
    try:
        values = np.array(words, np.float32) if words else np.zeros(0, np.float32)
    except ValueError:
        bad = next((word for word in words if not _is_number(word)), words[0])
        raise InputError(f"{bad[:40]!r} is not an F0", where=path, line=line, hint=hint) from None
    wrong = ~((values >= 0) & (values <= HIGHEST))  # NaN, too
    if wrong.any():
        raise InputError(f"an F0 of {values[wrong][0]:g} Hz", where=path, line=line, hint=hint)
    return values


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _read_times(where: Path) -> FrameTimes:
    hint = 'write the file: {"frame_period": 0.004, "offset": 0.002}'
    if not where.is_file():
        raise InputError("there is no such file, so the times of the F0 values are not known", where=where, hint=hint)
    values = read_numbers(where, ("frame_period", "offset"), '{"frame_period": 0.004, "offset": 0.002}')
    return _checked(FrameTimes(float(values["frame_period"]), float(values["offset"])), where)


def _checked(times: FrameTimes, where: Path | None) -> FrameTimes:
    """Return ``times``; raises InputError where a value is out of range."""
    with located(where):
        ranges.FRAME_PERIOD.check(times.frame_period, "frame_period")
        ranges.OFFSET.check(times.offset, "offset")
    return times
