"""The arrays that binary codes consist of: ``.npy`` files of fixed headers, written block by block.

A set of codes called ``codes`` is four files:

- ``codes.npy``: the codes of all utterances one after the other, uint8 for up to 256 codes, then uint16 or uint32;
- ``codes.index.npy``: one record per utterance: ``offset`` of its first code, ``length`` in codes, ``seconds`` of its
  recording, and ``id``, the byte of ``codes.ids`` at which its id begins;
- ``codes.ids``: ids in UTF-8, a line each;
- ``codes.json``: what ``codes.txt`` has, too, and how many utterances and codes there are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from vqspeech.errors import InputError, decoding

#: Bytes before the numbers, always as many, so that a header can be written when the count is known.
HEADER = 256
#: A record of the index.
RECORD = np.dtype([("offset", "<u8"), ("length", "<u4"), ("seconds", "<f8"), ("id", "<u8")])
#: Records, or lines, that are held at a time.
AT_ONCE = 1 << 16
#: Bytes of an id, at most.
LONGEST_ID = 1024


def code_type(codebook_size: int) -> np.dtype[Any]:
    """The smallest type that holds codes of a codebook."""
    return np.dtype("u1" if codebook_size <= 1 << 8 else "<u2" if codebook_size <= 1 << 16 else "<u4")


def header(kind: DTypeLike, count: int) -> bytes:
    """The first ``HEADER`` bytes of a ``.npy`` file with one axis, format version 1.0."""
    described = np.lib.format.dtype_to_descr(np.dtype(kind))
    text = f"{{'descr': {described!r}, 'fortran_order': False, 'shape': ({count},), }}"
    begin = b"\x93NUMPY\x01\x00" + (HEADER - 10).to_bytes(2, "little")
    return begin + text.encode().ljust(HEADER - 11) + b"\n"


def open_array(path: Path, kind: DTypeLike) -> NDArray[Any]:
    """Map such a file into memory.

    Raises:
        InputError: it is not there, is no such file, or cut short.
    """
    hint = "encode again, or join again"
    if not path.is_file():
        raise InputError("no such file", where=path, hint=hint)
    with path.open("rb") as file:
        begin = file.read(HEADER)
    count, rest = divmod(path.stat().st_size - HEADER, np.dtype(kind).itemsize)
    if rest or count < 0 or begin != header(kind, count):
        raise InputError(f"not {np.dtype(kind).name} codes or their index, or cut short", where=path, hint=hint)
    if not count:
        return np.empty(0, kind)  # nothing of no length can be mapped
    with decoding("cannot be mapped", where=path, hint=hint):
        return np.memmap(path, kind, "r", HEADER, (count,))


def id_fault(name: str) -> str | None:
    """Why ``name`` cannot be an id; None if it can."""
    if name.split() != [name] or not name.isprintable():
        return f"{name[:60]!r} cannot be an id (white space, a control character or nothing at all)"
    if len(name.encode(errors="replace")) > LONGEST_ID:
        return f"an id of {len(name)} characters"
    return None
