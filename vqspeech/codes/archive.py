"""The text archive ``codes.txt`` and the times of its frames, ``codes.json``.

``codes.txt`` has one line per utterance, as Kaldi writes integer archives (``utt-id 12 45 45 3``). Beside it,
``codes.json`` holds the size of the codebook and the times of the frames.

>>> units = read("codes.txt")                                  # doctest: +SKIP
>>> units.info.times(len(units.sequences["p225_001"]))[:2]     # doctest: +SKIP
array([0.02, 0.06])
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vqspeech import ranges
from vqspeech.codes.resumable_lines import ResumableLines
from vqspeech.errors import InputError, decoding, located
from vqspeech.files import atomic_open, sidecar_path

PathLike = str | os.PathLike[str]
Sequences = Mapping[str, NDArray[np.int32]]


@dataclass(frozen=True, slots=True)
class CodeInfo:
    """The content of ``codes.json``.

    Attributes:
        codebook_size: number of codes, K; every code is in ``[0, K)``.
        frame_period: seconds from one code to the next.
        offset: seconds from the start of the recording to the centre of the first frame.
        model: name of the system that made the codes.
        checksum: of that system's weights, e.g. their SHA-256 in hexadecimal.
    """

    codebook_size: int
    frame_period: float
    offset: float
    model: str | None = None
    checksum: str | None = None

    def times(self, frames: int) -> NDArray[np.float64]:
        """Centres of the first ``frames`` frames in seconds, shape ``(frames,)``."""
        return self.offset + self.frame_period * np.arange(frames, dtype=np.float64)

    def duration(self, frames: int) -> float:
        """Seconds from the start of the recording to the end of its last frame."""
        return self.offset + (frames - 0.5) * self.frame_period if frames else 0.0

    @property
    def identity(self) -> dict[str, Any]:
        """What all codes of one system have in common: its name is left out where the checksum says which it is."""
        values = asdict(self)
        if self.checksum is not None:
            del values["model"]
        return values


@dataclass(frozen=True, slots=True)
class Codes:
    """A system's codes for a set of utterances.

    Attributes:
        info: codebook size and frame times.
        sequences: utterance id -> codes, shape ``(frames,)``, in the order of the file.
    """

    info: CodeInfo
    sequences: dict[str, NDArray[np.int32]]


def read_info(path: PathLike) -> CodeInfo:
    """Read the ``codes.json`` that belongs to ``path`` (a ``codes.txt``).

    Raises:
        InputError: it is absent, is no JSON, or a value is missing, of the wrong type or out of range.
    """
    where = sidecar_path(path)
    if not where.is_file() and Path(path).with_suffix(".json").is_file():
        where = Path(path).with_suffix(".json")  # what this package called it once
    if not where.is_file():
        raise InputError(
            "there is no such file, so the times of the frames are not known",
            where=where,
            hint="name the frame period with --frame-period, or write the file: "
            '{"codebook_size": 512, "frame_period": 0.01, "offset": 0.005}',
        )
    values = read_numbers(
        where,
        ("codebook_size", "frame_period", "offset"),
        '{"codebook_size": 512, "frame_period": 0.01, "offset": 0.005}',
    )
    known = {field.name for field in fields(CodeInfo)}
    for name in ("model", "checksum"):
        if not isinstance(values.get(name), str | None):
            raise InputError(
                f"{name!r} must be text, not {values[name]!r}"[:200], where=where, hint="correct it, or encode again"
            )
    size = values["codebook_size"]
    if isinstance(size, float) and size.is_integer():
        values["codebook_size"] = int(size)
    return check_info(CodeInfo(**{name: values[name] for name in known & values.keys()}), where)


def read_numbers(where: Path, names: Sequence[str], example: str) -> dict[str, Any]:
    """Read a JSON object that has a number under each of ``names``; raises InputError where it is none."""
    with decoding("no JSON", where=where, hint=f"expected {example}"):
        values: object = json.loads(where.read_text(encoding="utf-8"))
    if not isinstance(values, dict):
        raise InputError(f'expected an object: {{"{names[0]}": ...}}', where=where, hint="put braces around it")
    for name in names:
        value = values.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InputError(
                f"{name!r} must be a number, not {value!r}"[:200], where=where, hint="correct it, or encode again"
            )
    return values


def check_info(info: CodeInfo, where: PathLike | None) -> CodeInfo:
    """Return ``info``; raises InputError where a value is out of range."""
    with located(where):
        ranges.CODEBOOK.check(info.codebook_size, "codebook_size")
        ranges.FRAME_PERIOD.check(info.frame_period, "frame_period")
        ranges.OFFSET.check(info.offset, "offset")
    return info


def read(path: PathLike) -> Codes:
    """Read ``codes.txt`` and the ``codes.json`` beside it.

    Raises:
        InputError: naming file and line, for what is no integer, a code outside the codebook, an utterance
            that occurs twice, or a fault of ``codes.json``.
        OSError: a file cannot be read.
    """
    path = Path(path)
    sequences = _read_lines(path)
    return check_codes(Codes(read_info(path), sequences), path)


def _read_lines(path: Path) -> dict[str, NDArray[np.int32]]:
    sequences: dict[str, NDArray[np.int32]] = {}
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            words = decode_line(raw, path, number).split()
            if not words:
                raise InputError("an empty line", where=path, line=number, hint="remove it")
            add_sequence(sequences, words[0], parse_codes(words[1:], path, number), path, number)
    return sequences


def decode_line(raw: bytes, path: Path, line: int, kind: str = "codes.txt") -> str:
    """A line as text; raises InputError where it is not UTF-8."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError("no UTF-8 text", where=path, line=line, hint=f"is this a {kind}?") from error


def text_lines(path: Path, kind: str) -> list[str]:
    """The lines of a text file without their ends; raises InputError where it is not UTF-8."""
    with path.open("rb") as file:
        return [decode_line(raw, path, number, kind).rstrip("\r\n") for number, raw in enumerate(file, 1)]


def parse_codes(words: list[str], path: Path, line: int | None) -> NDArray[np.int32]:
    """Words as int32 codes, ``(frames,)``; raises InputError for what is no code."""
    try:
        codes = np.array(words, dtype=np.int64) if words else np.empty(0, np.int64)
    except (ValueError, OverflowError):
        numbers = (word.removeprefix("-").isdecimal() for word in words)
        bad = next((word for word, number in zip(words, numbers, strict=True) if not number), max(words, key=len)[:40])
        raise InputError(
            f"{bad!r} is not a code", where=path, line=line, hint="a line is: utterance-id 12 45 45 3"
        ) from None
    if codes.size and (codes.min() < 0 or codes.max() > np.iinfo(np.int32).max):
        bad_code = codes.min() if codes.min() < 0 else codes.max()
        raise InputError(f"code {bad_code} is out of range", where=path, line=line, hint="codes start at 0")
    return codes.astype(np.int32)


def add_sequence(
    sequences: dict[str, NDArray[np.int32]],
    utterance: str,
    codes: NDArray[np.int32],
    path: Path,
    line: int | None,
) -> None:
    """Add an utterance to ``sequences``; raises InputError where it occurs twice."""
    if utterance in sequences:
        raise InputError(f"utterance {utterance} occurs twice", where=path, line=line, hint="keep one of them")
    sequences[utterance] = codes


def check_codes(codes: Codes, path: Path) -> Codes:
    """Return ``codes``; raises InputError where one is outside the codebook."""
    for number, (utterance, sequence) in enumerate(codes.sequences.items(), 1):
        if sequence.size and sequence.max() >= codes.info.codebook_size:
            raise InputError(
                f"utterance {utterance} has code {sequence.max()}, but the codebook has {codes.info.codebook_size}",
                where=path,
                line=number if path.is_file() else None,
                hint=f"correct codebook_size in {sidecar_path(path).name}, or encode again",
            )
    return codes


def format_line(utterance: str, codes: ArrayLike) -> str:
    """One line of ``codes.txt``, without its end."""
    return " ".join([utterance, *map(str, np.asarray(codes).tolist())])


def info_json(info: CodeInfo) -> str:
    """The content of ``codes.json``."""
    return json.dumps(asdict(info), indent=2) + "\n"


def write(path: PathLike, codes: Codes) -> None:
    """Write ``codes.txt`` and the ``codes.json`` beside it, each in one step."""
    path = Path(path)
    with atomic_open(sidecar_path(path)) as file:
        file.write(info_json(check_info(codes.info, None)))
    with atomic_open(path) as file:
        file.writelines(format_line(name, sequence) + "\n" for name, sequence in codes.sequences.items())


class Writer:
    """Writes codes utterance by utterance, so that a long encoding that is killed can go on where it was.

    Lines go to ``codes.txt.partial`` (see ``ResumableLines``); when the block ends without an exception, that file
    becomes ``codes.txt``, with ``codes.json`` beside it.

    >>> with Writer("codes.txt", CodeInfo(512, 0.01, 0.005)) as writer:     # doctest: +SKIP
    ...     for utterance in data:
    ...         if utterance.id not in writer.done:
    ...             writer.append(utterance.id, model.encode(...))

    Args:
        path: the ``codes.txt`` to make.
        info: what ``codes.json`` will say.
        sources: what is encoded, in words that differ where it does; for each utterance its id and recording, say.

    Attributes:
        done: ids of the utterances that are written.
        discarded: whether there was a partial file of something else.

    Raises:
        InputError: a number of ``info`` is out of its range; on entering the block, another process writes the file.
    """

    def __init__(self, path: PathLike, info: CodeInfo, sources: Iterable[object] = ()) -> None:
        self.path = Path(path)
        self.info = check_info(info, None)
        identity = json.dumps(self.info.identity, indent=2) + "\n"
        self._lines = ResumableLines(path, info_json(self.info), sources, identity)

    @property
    def done(self) -> set[str]:
        """Ids of the utterances that are written."""
        return self._lines.done

    @property
    def discarded(self) -> bool:
        """Whether there was a partial file of something else."""
        return self._lines.discarded

    def __enter__(self) -> Writer:
        self._lines.__enter__()
        return self

    def append(self, utterance: str, codes: ArrayLike) -> None:
        """Write one utterance; when this returns, the line has left the process.

        Args:
            utterance: its id, without white space.
            codes: integers in ``[0, codebook_size)``, shape ``(frames,)``.

        Raises:
            InputError: the id has white space or is written already, or a code is outside the codebook.
        """
        array = np.asarray(codes)
        if array.ndim != 1 or (array.size and not np.issubdtype(array.dtype, np.integer)):
            raise InputError(
                f"utterance {utterance}: codes must be integers of shape (frames,)",
                where=self.path,
                hint="round and flatten them",
            )
        if array.size and (array.min() < 0 or array.max() >= self.info.codebook_size):
            raise InputError(
                f"utterance {utterance}: a code is outside [0, {self.info.codebook_size})",
                where=self.path,
                hint="raise codebook_size, or check the codes",
            )
        self._lines.append(utterance, map(str, array.tolist()))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.__exit__(kind, error, trace)
