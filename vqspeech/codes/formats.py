"""Units written in the formats of other systems, and which format a file's name stands for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vqspeech.codes.archive import Codes, PathLike, check_info, format_line, info_json, write
from vqspeech.codes.fairseq import write_km
from vqspeech.codes.jsonl import write_discophon, write_slamkit
from vqspeech.codes.npy_units import write_memory_map
from vqspeech.errors import InputError
from vqspeech.files import atomic_open, sidecar_path


@dataclass(frozen=True)
class UnitFormat:
    """A format that units are written in.

    Attributes:
        about: what it is, for the user.
        suffix: of its files.
        write: writes codes to a path.
    """

    about: str
    suffix: str
    write: Callable[[PathLike, Codes], None]


def _write_espnet(path: PathLike, codes: Codes) -> None:
    with atomic_open(path) as file:
        file.writelines(format_line(name, sequence) + "\n" for name, sequence in codes.sequences.items())


#: Name -> format. ESPnet's (``egs2/TEMPLATE/asr2``, ``pseudo_labels_km*.txt``) is Kaldi's text archive of integers.
FORMATS = {
    "codes": UnitFormat("codes.txt, with codes.json beside it", ".txt", write),
    "discophon": UnitFormat('DiscoPhon\'s JSON lines, {"file", "units"}', ".jsonl", write_discophon),
    "espnet": UnitFormat("ESPnet's token text, utterance-id and units", ".token", _write_espnet),
    "fairseq": UnitFormat("fairseq's .km, with manifest (.tsv) and dict.km.txt", ".km", write_km),
    "npy": UnitFormat("one .npy of uint16 to be memory-mapped, with an index", ".npy", write_memory_map),
    "slamkit": UnitFormat("slamkit's features.jsonl, runs and their durations", ".jsonl", write_slamkit),
}


def format_of(path: PathLike) -> str:
    """The format that a file's suffix stands for.

    Raises:
        InputError: for none.
    """
    suffix = Path(path).suffix
    for name, form in FORMATS.items():
        if form.suffix == suffix:
            return name
    raise InputError("no format is known by this suffix", where=path, hint=f"name one of {', '.join(FORMATS)}")


def write_units(path: PathLike, codes: Codes, form: str) -> None:
    """Write codes in a format by its name, and beside them the times of their frames in JSON, as with ``codes.txt``.

    Raises:
        InputError: there is no such format, or an id has white space.
    """
    if form not in FORMATS:
        raise InputError(f"no format {form!r}", hint=f"use one of {', '.join(FORMATS)}")
    for name in codes.sequences:
        if name.split() != [name]:
            raise InputError(f"an utterance id has no white space: {name!r}", hint="rename it")
    FORMATS[form].write(path, codes)
    if form != "codes":
        with atomic_open(sidecar_path(path)) as file:
            file.write(info_json(check_info(codes.info, None)))
