"""Units as JSON lines: DiscoPhon's ``{"file", "units"}`` and slamkit's ``{"file_name", "units", "duration"}``.

DiscoPhon (``discophon.data.read_submitted_units``): ``file`` is the name of the recording without its suffix, ``units``
a list of whole numbers, one per frame; other fields are ignored.

slamkit (``cli/extract_features.py`` and ``UnitTokeniser.audio_represent``: ``features.jsonl``): ``file_name``
is the path of the recording, ``units`` has one number per run, and ``duration`` the frames of each run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqspeech.codes.archive import Codes, PathLike, add_sequence, decode_line
from vqspeech.codes.statistics import runs
from vqspeech.counts import counted
from vqspeech.errors import InputError
from vqspeech.files import atomic_open

#: Frames that the runs of a line, and of a file, may stand for: numbers in a line cost nothing to write.
_MOST_FRAMES, _MOST_IN_FILE = 10_000_000, 500_000_000
_DISCOPHON = '{"file": "utterance", "units": [12, 45, 45]}'
_SLAMKIT = '{"file_name": "a/utterance.wav", "units": [12, 45], "duration": [1, 2]}'


def read_jsonl(path: PathLike) -> dict[str, NDArray[np.int32]]:
    """Utterance id -> codes, ``(frames,)``, of DiscoPhon's lines or slamkit's; each line says which it is.

    Raises:
        InputError: naming the line, where it is neither.
    """
    path = Path(path)
    sequences: dict[str, NDArray[np.int32]] = {}
    expanded = 0
    for number, line in _objects(path):
        hint = f"a line is: {_SLAMKIT if 'file_name' in line else _DISCOPHON}"
        name = line.get("file", line.get("file_name"))
        if not isinstance(name, str):
            raise InputError("no 'file' and no 'file_name'", where=path, line=number, hint=hint)
        units = _whole_numbers(line, "units", path, number, hint)
        if "duration" in line:
            lengths = _whole_numbers(line, "duration", path, number, hint)
            if len(lengths) != len(units):
                raise InputError(
                    f"{counted(len(units), 'unit')}, but {len(lengths)} durations", where=path, line=number, hint=hint
                )
            frames = sum(lengths.tolist())
            expanded += frames
            if frames > _MOST_FRAMES or expanded > _MOST_IN_FILE:
                raise InputError(
                    f"durations of {counted(frames, 'frame')}", where=path, line=number, hint="split the file"
                )
            units = np.repeat(units, lengths)
        elif "file_name" in line:
            raise InputError("'file_name' without 'duration'", where=path, line=number, hint=hint)
        add_sequence(sequences, _utterance(name, path, number), units, path, number)
    return sequences


def write_discophon(path: PathLike, codes: Codes) -> None:
    """Write DiscoPhon's lines."""
    with atomic_open(path) as file:
        for name, sequence in codes.sequences.items():
            file.write(json.dumps({"file": name, "units": sequence.tolist()}, ensure_ascii=False) + "\n")


def write_slamkit(path: PathLike, codes: Codes) -> None:
    """Write slamkit's lines; recordings are called ``utterance-id.wav``."""
    with atomic_open(path) as file:
        for name, sequence in codes.sequences.items():
            units, _, lengths = runs(sequence)
            line = {"units": units.tolist(), "duration": lengths.tolist(), "file_name": f"{name}.wav"}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def _objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            text = decode_line(raw, path, number, "file of JSON lines")
            try:
                line = json.loads(text)
            except json.JSONDecodeError as error:
                raise InputError(
                    f"no JSON: {error.msg}", where=path, line=number, hint=f"a line is: {_DISCOPHON}"
                ) from None
            except (RecursionError, ValueError) as error:  # too deep, or a number of too many digits
                raise InputError(
                    f"no units: {type(error).__name__}", where=path, line=number, hint=f"a line is: {_DISCOPHON}"
                ) from None
            if not isinstance(line, dict):
                raise InputError("no JSON object", where=path, line=number, hint=f"a line is: {_DISCOPHON}")
            yield number, line


def _whole_numbers(line: dict[str, Any], key: str, path: Path, number: int, hint: str) -> NDArray[np.int32]:
    values = line.get(key)
    if not isinstance(values, list) or any(type(value) is not int for value in values):
        raise InputError(f"{key!r} is no list of whole numbers", where=path, line=number, hint=hint)
    bad = next((value for value in values if not 0 <= value < 2**31), None)
    if bad is not None:
        raise InputError(f"{key} {str(bad)[:40]} is out of range", where=path, line=number, hint="codes start at 0")
    return np.array(values, np.int32)


def _utterance(name: str, path: Path, number: int) -> str:
    """``a/b.wav`` -> ``b``; a name with white space is no utterance id."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    stem = Path(last).stem if Path(last).suffix.lower() in _SUFFIXES else last
    if not stem or stem.split() != [stem]:
        raise InputError(f"{name[:60]!r} cannot be an utterance id", where=path, line=number, hint="rename it")
    return stem


#: Suffixes that a recording's name loses to become an id; an id may have dots of its own.
_SUFFIXES = {".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".sph", ".aiff", ".aif", ".webm"}
