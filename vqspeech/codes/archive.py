"""The text archive ``codes.txt`` and the times of its frames, ``codes.json``.

``codes.txt`` has a line an utterance, as Kaldi writes integer archives (``utt-id 12 45 45 3``). Beside it,
``codes.json`` says what no integer can: the size of the codebook and where in time the frames are.

>>> units = read("codes.txt")                                  # doctest: +SKIP
>>> units.info.times(len(units.sequences["p225_001"]))[:2]     # doctest: +SKIP
array([0.02, 0.06])
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vqspeech.errors import InputError
from vqspeech.files import atomic_open

PathLike = str | os.PathLike[str]
Sequences = Mapping[str, NDArray[np.int32]]


@dataclass(frozen=True, slots=True)
class CodeInfo:
    """What ``codes.json`` says of the codes beside it.

    Attributes:
        codebook_size: number of codes, K; every code is in ``[0, K)``.
        frame_period: seconds from one code to the next.
        offset: seconds from the start of the recording to the centre of the first frame.
        model: name of the system that made the codes.
        checksum: checksum of that system's weights, e.g. ``sha256:...``.
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


@dataclass(frozen=True, slots=True)
class Codes:
    """A system's codes for a set of utterances.

    Attributes:
        info: codebook size and frame times.
        sequences: utterance id -> codes, shape ``(frames,)``, in the order of the file.
    """

    info: CodeInfo
    sequences: dict[str, NDArray[np.int32]]


def _info_path(path: Path) -> Path:
    return path.with_suffix(".json")


def read_info(path: PathLike) -> CodeInfo:
    """Read the ``codes.json`` that belongs to ``path`` (a ``codes.txt``).

    Raises:
        InputError: it is absent, is no JSON, or a value is missing, of the wrong type or out of range.
    """
    where = _info_path(Path(path))
    if not where.is_file():
        raise InputError(
            "there is no such file, so the times of the frames are not known",
            where=where,
            cure="name the frame period with --frame-period, or write the file: "
            '{"codebook_size": 512, "frame_period": 0.01, "offset": 0.005}',
        )
    try:
        values = json.loads(where.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        line = getattr(error, "lineno", None)
        raise InputError(f"no JSON: {getattr(error, 'msg', error)}", where=where, line=line) from error
    if not isinstance(values, dict):
        raise InputError('expected an object: {"codebook_size": ...}', where=where)
    known = {field.name for field in fields(CodeInfo)}
    for name in ("codebook_size", "frame_period", "offset"):
        value = values.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InputError(f"{name!r} must be a number, not {value!r}", where=where)
    for name in ("model", "checksum"):
        if not isinstance(values.get(name), str | None):
            raise InputError(f"{name!r} must be text, not {values[name]!r}", where=where)
    return _checked(CodeInfo(**{name: values[name] for name in known & values.keys()}), where)


def _checked(info: CodeInfo, where: PathLike | None) -> CodeInfo:
    if info.codebook_size != int(info.codebook_size) or info.codebook_size < 1:
        raise InputError(f"codebook_size must be a whole number above 0, not {info.codebook_size}", where=where)
    if not (np.isfinite(info.frame_period) and info.frame_period > 0):
        raise InputError(f"frame_period must be above 0 seconds, not {info.frame_period}", where=where)
    if not np.isfinite(info.offset):
        raise InputError(f"offset must be a number of seconds, not {info.offset}", where=where)
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
    return _bounded(Codes(read_info(path), sequences), path)


def _read_lines(path: Path) -> dict[str, NDArray[np.int32]]:
    sequences: dict[str, NDArray[np.int32]] = {}
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            words = _decode(raw, path, number).split()
            if not words:
                raise InputError("an empty line", where=path, line=number, cure="remove it")
            _add(sequences, words[0], _integers(words[1:], path, number), path, number)
    return sequences


def _decode(raw: bytes, path: Path, line: int, kind: str = "codes.txt") -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError("no UTF-8 text", where=path, line=line, cure=f"is this a {kind}?") from error


def _text_lines(path: Path, kind: str) -> list[str]:
    with path.open("rb") as file:
        return [_decode(raw, path, number, kind).rstrip("\r\n") for number, raw in enumerate(file, 1)]


def _integers(words: list[str], path: Path, line: int | None) -> NDArray[np.int32]:
    try:
        codes = np.array(words, dtype=np.int64) if words else np.empty(0, np.int64)
    except (ValueError, OverflowError):
        bad = next((word for word in words if not word.removeprefix("-").isdecimal()), words[0])
        raise InputError(
            f"{bad!r} is not a code", where=path, line=line, cure="a line is: utterance-id 12 45 45 3"
        ) from None
    if codes.size and (codes.min() < 0 or codes.max() > np.iinfo(np.int32).max):
        bad_code = codes.min() if codes.min() < 0 else codes.max()
        raise InputError(f"code {bad_code} is out of range", where=path, line=line, cure="codes start at 0")
    return codes.astype(np.int32)


def _add(
    sequences: dict[str, NDArray[np.int32]],
    utterance: str,
    codes: NDArray[np.int32],
    path: Path,
    line: int | None,
) -> None:
    if utterance in sequences:
        raise InputError(f"utterance {utterance} occurs twice", where=path, line=line, cure="keep one of them")
    sequences[utterance] = codes


def _bounded(codes: Codes, path: Path) -> Codes:
    for number, (utterance, sequence) in enumerate(codes.sequences.items(), 1):
        if sequence.size and sequence.max() >= codes.info.codebook_size:
            raise InputError(
                f"utterance {utterance} has code {sequence.max()}, but the codebook has {codes.info.codebook_size}",
                where=path,
                line=number if path.is_file() else None,
                cure=f"correct codebook_size in {_info_path(path).name}, or encode again",
            )
    return codes


def format_line(utterance: str, codes: ArrayLike) -> str:
    """One line of ``codes.txt``, without its end."""
    return " ".join([utterance, *map(str, np.asarray(codes).tolist())])


def _info_json(info: CodeInfo) -> str:
    return json.dumps(asdict(info), indent=2) + "\n"


def write(path: PathLike, codes: Codes) -> None:
    """Write ``codes.txt`` and the ``codes.json`` beside it, each in one step."""
    path = Path(path)
    with atomic_open(_info_path(path)) as file:
        file.write(_info_json(_checked(codes.info, None)))
    with atomic_open(path) as file:
        file.writelines(format_line(name, sequence) + "\n" for name, sequence in codes.sequences.items())


class Writer:
    """Writes codes utterance by utterance, so that a long encoding that is killed can go on where it was.

    Lines go to ``codes.txt.partial``; when the block ends without an exception, that file and its JSON become
    ``codes.txt`` and ``codes.json``. A later ``Writer`` with the same path and the same ``info`` continues a
    partial file and knows by ``done`` what need not be encoded again; with another ``info`` it starts afresh.

    >>> with Writer("codes.txt", CodeInfo(512, 0.01, 0.005)) as writer:     # doctest: +SKIP
    ...     for utterance in data:
    ...         if utterance.id not in writer.done:
    ...             writer.append(utterance.id, model.encode(...))

    Args:
        path: the ``codes.txt`` to make.
        info: what ``codes.json`` will say.

    Attributes:
        done: ids of the utterances that are written.
    """

    def __init__(self, path: PathLike, info: CodeInfo) -> None:
        self.path = Path(path)
        self.info = _checked(info, None)
        self.done: set[str] = set()
        self._partial = self.path.with_name(self.path.name + ".partial")
        self._partial_info = self._partial.with_name(_info_path(self.path).name + ".partial")
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Writer:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        continues = (
            self._partial.is_file()
            and self._partial_info.is_file()
            and self._partial_info.read_text(encoding="utf-8") == _info_json(self.info)
        )
        if not continues:
            self._partial.unlink(missing_ok=True)
            with atomic_open(self._partial_info) as file:
                file.write(_info_json(self.info))
        self._file = self._partial.open("ab")
        if continues:
            # A killed writer may have left half a line, which cannot be told from a short one: drop it.
            whole = self._partial.read_bytes()
            keep = whole.rfind(b"\n") + 1
            self._file.truncate(keep)
            self.done = {line.split(None, 1)[0].decode() for line in whole[:keep].splitlines() if line.strip()}
        return self

    def append(self, utterance: str, codes: ArrayLike) -> None:
        """Write one utterance; when this returns, the line has left the process.

        Args:
            utterance: its id, without white space.
            codes: integers in ``[0, codebook_size)``, shape ``(frames,)``.

        Raises:
            InputError: the id has white space or is written already, or a code is outside the codebook.
        """
        if self._file is None:
            raise RuntimeError("Writer.append outside its with block")
        array = np.asarray(codes)
        if not utterance or utterance.split() != [utterance]:
            raise InputError(f"an utterance id has no white space: {utterance!r}")
        if utterance in self.done:
            raise InputError(f"utterance {utterance} occurs twice", where=self.path)
        if array.ndim != 1 or (array.size and not np.issubdtype(array.dtype, np.integer)):
            raise InputError(f"utterance {utterance}: codes must be integers of shape (frames,)", where=self.path)
        if array.size and (array.min() < 0 or array.max() >= self.info.codebook_size):
            raise InputError(
                f"utterance {utterance}: a code is outside [0, {self.info.codebook_size})", where=self.path
            )
        self._file.write(format_line(utterance, array).encode() + b"\n")
        self._file.flush()
        self.done.add(utterance)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is None:
            return
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._file = None
        if kind is None:
            self._partial_info.replace(_info_path(self.path))
            self._partial.replace(self.path)
