"""Which kind of source a path is."""

from __future__ import annotations

import os
from pathlib import Path

from vqspeech.encoding.data_directory import DataDirectory
from vqspeech.encoding.folder import listed_row, listing
from vqspeech.encoding.lines import CompressedLines, Lines
from vqspeech.encoding.parquet import Parquet
from vqspeech.encoding.row import Rows, json_row
from vqspeech.encoding.shar import Shar
from vqspeech.errors import InputError


def open_rows(source: str | os.PathLike[str], out: Path) -> Rows:
    """The rows of a data directory, a folder of recordings at any depth or of lhotse's Shar, or a manifest.

    Args:
        source: a folder of lhotse's Shar has ``cuts.*.jsonl.gz`` and ``recording.*.tar``; a manifest is ``.jsonl``
            (rows with ``path``, ``start``, ``end`` and ``id``, or lhotse's cuts, plain or ``.gz``) or ``.parquet`` with
            columns of these names. Paths are relative to the working directory.
        out: where a folder's recordings are listed, once for all jobs.

    Raises:
        InputError: it is nothing of that kind.
    """
    path = Path(source)
    if (path / "wav.scp").is_file():
        return DataDirectory(path)
    if path.is_dir() and (shar := Shar.find(path)):
        return shar
    if path.is_dir():
        return Lines(listing(path, out), listed_row)
    if not path.exists():
        raise InputError("no such file or folder", where=path, hint="check the path")
    if path.name.endswith(".parquet"):
        return Parquet(path)
    if path.name.endswith((".jsonl", ".ndjson")):
        return Lines(path, json_row)
    if path.name.endswith((".jsonl.gz", ".ndjson.gz")):
        return CompressedLines(path, json_row)
    raise InputError(
        "no source of rows", where=path, hint="give a data directory, a folder, or a manifest: .jsonl or .parquet"
    )


def is_manifest(path: Path) -> bool:
    """Whether ``open_rows`` would take it for a manifest or for lhotse's Shar, not for a folder of files."""
    if path.is_dir():
        return not (path / "wav.scp").exists() and Shar.find(path) is not None
    return path.is_file()
