"""Any alignment, by its suffix: one file of a corpus, or a folder with one file per utterance."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal, get_args

from vqspeech.alignment.ctm import read_ctm
from vqspeech.alignment.intervals import Alignment, Interval
from vqspeech.alignment.labels import read_audacity, read_lab, read_timit
from vqspeech.alignment.textgrid import read_textgrid
from vqspeech.errors import InputError

Format = Literal["ctm", "textgrid", "phn", "wrd", "lab", "audacity"]
_SUFFIXES: dict[str, Format] = {
    ".ctm": "ctm",
    ".textgrid": "textgrid",
    ".phn": "phn",
    ".wrd": "wrd",
    ".lab": "lab",
    ".txt": "audacity",
}


def read(
    path: str | os.PathLike[str],
    *,
    format: Format | None = None,  # noqa: A002
    tier: str | None = None,
    rate: int = 16_000,
) -> Alignment:
    """Read phone (or word) intervals.

    Args:
        path: a CTM file; a TextGrid, ``.phn``, ``.wrd``, ``.lab`` or Audacity file (its stem is the utterance id); or
            a folder of them. In a folder, files of one stem in different folders (TIMIT's ``sa1``) are named
            ``folder_stem``; a folder that holds ``phones.ctm`` (a data directory) is read from that.
        format: which of these, where the suffix does not say.
        tier: of TextGrids (:func:`read_textgrid`).
        rate: samples per second, of ``.phn`` and ``.wrd``.

    Raises:
        InputError: naming file and line.
        OSError: a file cannot be read.
    """
    path = Path(path)
    if format is not None and format not in get_args(Format):
        raise InputError(f"no format {format!r}", hint=f"there are: {', '.join(get_args(Format))}")
    if path.is_dir():
        return _read_folder(path, format, tier, rate)
    if not path.exists():
        raise InputError("no such file or folder", where=path, hint="check the path")
    kind = format or _SUFFIXES.get(path.suffix.lower())
    if kind is None:
        raise InputError(
            f"the suffix {path.suffix!r} is not an alignment's", where=path, hint="name its format with --phones-format"
        )
    if kind == "ctm":
        return read_ctm(path)
    return {path.stem: _reader(kind, tier, rate)(path)}


def _reader(kind: Format, tier: str | None, rate: int) -> Callable[[Path], list[Interval]]:
    readers: dict[str, Callable[[Path], list[Interval]]] = {
        "textgrid": partial(read_textgrid, tier=tier),
        "phn": partial(read_timit, rate=rate),
        "wrd": partial(read_timit, rate=rate),
        "lab": read_lab,
        "audacity": read_audacity,
    }
    return readers[kind]


def _read_folder(folder: Path, kind: Format | None, tier: str | None, rate: int) -> Alignment:
    if kind in (None, "ctm") and (folder / "phones.ctm").is_file():
        return read_ctm(folder / "phones.ctm")
    by_suffix: dict[str, list[Path]] = {}
    for file in sorted(folder.rglob("*")):
        by_suffix.setdefault(file.suffix.lower(), []).append(file)
    wanted = [kind] if kind else ["textgrid", "phn", "lab"]
    for suffix, meant in _SUFFIXES.items():
        if meant in wanted and meant != "ctm" and suffix in by_suffix:
            read_one = _reader(meant, tier, rate)
            files = by_suffix[suffix]
            stems = [file.stem for file in files]
            unique = len(set(stems)) == len(stems)
            return {file.stem if unique else f"{file.parent.name}_{file.stem}": read_one(file) for file in files}
    raise InputError(
        "no alignment in the folder",
        where=folder,
        hint="it should hold phones.ctm, or .TextGrid, .phn or .lab files",
    )
