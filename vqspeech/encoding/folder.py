"""Recordings in a folder, at any depth, listed once for all jobs."""

from __future__ import annotations

import json
import math
import os
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from vqspeech.codes.binary import id_fault
from vqspeech.encoding.row import Row, json_object, row_of
from vqspeech.encoding.walk import walk
from vqspeech.errors import InputError
from vqspeech.files import atomic_open, locked

#: Endings of files that a folder is searched for.
SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".au", ".sph", ".w64")
#: What a folder's recordings are listed in.
LISTING = "input.jsonl"


def listing(folder: Path, out: Path) -> Path:
    """The list of a folder's recordings, made by the first job that needs it; others wait until it is there.

    A large folder on a network's file system takes long to walk, and longer where a thousand jobs walk it at a time.

    Raises:
        InputError: there are no recordings.
    """
    target = out / LISTING
    if not target.is_file():
        with locked(target, wait=math.inf):
            if not target.is_file():  # another job may have just made it, or was killed at it
                _list(folder, target)
    return target


def listed_row(raw: bytes) -> Row:
    """The row of a line of the list, with the fault of one whose name cannot be an id."""
    values = json_object(raw)
    row, fault = row_of(values), values.get("fault")
    return replace(row, fault=fault) if isinstance(fault, str) else row


def _list(folder: Path, target: Path) -> None:
    count = 0
    before = ""
    with atomic_open(target) as file:
        for short in walk(folder, SUFFIXES, target.parent):
            name, _ = os.path.splitext(short)  # noqa: PTH122  # of millions
            # Files come sorted by their names without suffixes, so that those of one id follow each other.
            fault = f"another recording is called {name}, too" if name == before else id_fault(name)
            path = str(folder / short)
            row = {"id": name, "path": path}
            if fault:
                row = {"id": quote(short, errors="surrogateescape"), "path": path, "fault": fault}
            file.write(json.dumps(row) + "\n")
            before = name
            count += 1
    if not count:
        target.unlink()
        raise InputError("no recordings in it", where=folder, hint="give a folder of WAV, FLAC, OGG or MP3 files")
