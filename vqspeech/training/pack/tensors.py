"""The tensors of a safetensors file as memory maps: nothing of them is read until it is indexed."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Bytes of the header, at most.
_LONGEST_HEADER = 100_000_000
_DTYPES = {"I16": np.int16, "I64": np.int64, "U8": np.uint8}


def map_tensors(path: Path) -> tuple[dict[str, str], dict[str, NDArray[Any]]]:
    """The metadata and the tensors of a file.

    Raises:
        ValueError, KeyError, TypeError, struct.error: it is no such file, or cut short.
    """
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > min(_LONGEST_HEADER, path.stat().st_size):
            raise ValueError("its header is longer than the file")
        header = json.loads(file.read(length))
    metadata = header.pop("__metadata__")
    return metadata, {name: _map(path, 8 + length, entry) for name, entry in header.items()}


def _map(path: Path, start: int, entry: dict[str, Any]) -> NDArray[Any]:
    dtype = _DTYPES[entry["dtype"]]
    shape = tuple(entry["shape"])
    if 0 in shape:
        return np.zeros(shape, dtype)
    return np.memmap(path, dtype, "r", start + entry["data_offsets"][0], shape)
