"""Units of many utterances as one array: ``units.npy`` of uint16, memory-mapped, and ``units.npy.index``.

The array holds all utterances one after another; the index has a line ``utterance-id start frames`` per utterance, in
the order of the array. With more than 65536 codes the array is of uint32.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vqspeech.codes.archive import Codes, PathLike, add_sequence, text_lines
from vqspeech.errors import InputError
from vqspeech.files import atomic_open
from vqspeech.npy import read_npy


def index_path(path: PathLike) -> Path:
    """The index that belongs to an array."""
    path = Path(path)
    return path.with_name(f"{path.name}.index")


def write_memory_map(path: PathLike, codes: Codes) -> None:
    """Write array and index; the utterances are in memory one at a time."""
    kind = np.dtype("<u2" if codes.info.codebook_size <= 1 << 16 else "<u4")
    frames = sum(sequence.size for sequence in codes.sequences.values())
    start = 0
    with atomic_open(index_path(path)) as index:
        for name, sequence in codes.sequences.items():
            index.write(f"{name} {start} {sequence.size}\n")
            start += sequence.size
    with atomic_open(path, "wb") as file:
        header = {"descr": kind.str, "fortran_order": False, "shape": (frames,)}
        np.lib.format.write_array_header_1_0(file, header)
        for sequence in codes.sequences.values():
            file.write(sequence.astype(kind).tobytes())


def read_memory_map(path: PathLike) -> dict[str, NDArray[np.int32]]:
    """Utterance id -> codes, ``(frames,)``.

    Raises:
        InputError: naming file and line, where the index is not that of the array.
    """
    path, index = Path(path), index_path(path)
    if not index.is_file():
        raise InputError("has no utterance ids, and no index beside it", where=path, hint=f"put it at {index}")
    array = read_npy(path)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise InputError(
            f"an array of {array.dtype}, of shape {array.shape}", where=path, hint="give (frames,) integers"
        )
    if array.size and (array.min() < 0 or array.max() > np.iinfo(np.int32).max):
        raise InputError("a code is out of range", where=path, hint="codes start at 0")
    sequences: dict[str, NDArray[np.int32]] = {}
    end = 0
    for number, line in enumerate(text_lines(index, "index"), 1):
        words = line.split()
        if len(words) != 3 or not all(word.isascii() and word.isdecimal() and len(word) < 19 for word in words[1:]):
            raise InputError("no entry", where=index, line=number, hint="a line is: utterance-id start frames")
        start, frames = int(words[1]), int(words[2])
        # One after another: entries that overlap could ask for more memory than the file is long.
        if start != end or start + frames > array.size:
            raise InputError(
                f"frames {start} to {start + frames}, where {end} is the next of {array.size}",
                where=index,
                line=number,
                hint="give the index of this array",
            )
        end = start + frames
        add_sequence(sequences, words[0], array[start:end].astype(np.int32), index, number)
    if end != array.size:
        raise InputError(f"{array.size} frames, but the index has {end}", where=path, hint="give its own index")
    return sequences
