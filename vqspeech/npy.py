"""NumPy files of others: ``.npy`` whose header can be believed."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqspeech.errors import InputError, decoding

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_npy(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read an array of real numbers.

    Raises:
        InputError: it is no ``.npy`` file, is cut short or holds something other than numbers.
        OSError: it cannot be read.
    """
    path = Path(path)
    hint = "write it with numpy.save"
    with decoding("no NumPy array of numbers", where=path, hint=hint), path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        if version not in _HEADERS:
            raise InputError(f"a NumPy file of version {version[0]}.{version[1]}", where=path, hint=hint)
        shape, _, dtype = _HEADERS[version](file)
        if dtype.kind not in "biuf":
            raise InputError(f"an array of {str(dtype)[:60]}, not of numbers", where=path, hint=hint)
        # Before memory is taken for it: a damaged header asks for as much as it likes.
        if any(side < 0 for side in shape) or math.prod(shape) * dtype.itemsize > path.stat().st_size:
            raise InputError("cut short", where=path, hint="copy it again from its source")
        file.seek(0)
        array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
        return array
