"""Units of other systems: HuBERT k-means, EnCodec tokens and the like."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vqspeech.arrays import read_npy
from vqspeech.codes.archive import (
    CodeInfo,
    Codes,
    PathLike,
    add_sequence,
    check_codes,
    check_info,
    decode_line,
    parse_codes,
    text_lines,
)
from vqspeech.errors import InputError


def import_units(
    path: PathLike,
    *,
    frame_period: float,
    offset: float | None = None,
    codebook_size: int | None = None,
    manifest: PathLike | None = None,
) -> Codes:
    """Read the units of another system: HuBERT k-means, EnCodec tokens and the like.

    Understood are: ``utt-id 1 2 3`` without a ``codes.json``; textless's ``file|1 2 3``; fairseq's ``.km``, a line of
    integers an utterance, named by the ``.tsv`` manifest it was made from; and a folder of ``.npy``, a file an
    utterance.

    Args:
        path: the file, or the folder of ``.npy`` files.
        frame_period: seconds from one code to the next (0.02 for HuBERT, 1/75 for EnCodec).
        offset: seconds to the centre of the first frame; half the frame period when absent.
        codebook_size: number of codes; one more than the highest that occurs when absent.
        manifest: for ``.km``; the ``.tsv`` beside it (same stem) when absent.

    Raises:
        InputError: naming file and line, when no form fits.
    """
    path = Path(path)
    if path.is_dir():
        sequences = _read_npy_folder(path)
    elif path.suffix == ".km" or manifest is not None:
        sequences = _read_km(path, Path(manifest) if manifest is not None else path.with_suffix(".tsv"))
    else:
        sequences = _read_named_lines(path)
    if not sequences:
        raise InputError("no codes in it", where=path, hint="check that the file is not cut short")
    highest = max((int(codes.max()) for codes in sequences.values() if codes.size), default=0)
    info = CodeInfo(
        codebook_size=highest + 1 if codebook_size is None else codebook_size,
        frame_period=frame_period,
        offset=frame_period / 2 if offset is None else offset,
    )
    return check_codes(Codes(check_info(info, path), sequences), path)


def _stem(name: str) -> str:
    return Path(name.replace("\\", "/")).stem


def _read_named_lines(path: Path) -> dict[str, NDArray[np.int32]]:
    sequences: dict[str, NDArray[np.int32]] = {}
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            line = decode_line(raw, path, number).strip()
            if "|" in line:
                name, _, rest = line.partition("|")
                name = _stem(name.strip())
            else:
                name, _, rest = line.replace("\t", " ").partition(" ")
            if not name:
                raise InputError("an empty line", where=path, line=number, hint="remove it")
            add_sequence(sequences, name, parse_codes(rest.replace(",", " ").split(), path, number), path, number)
    return sequences


def _read_km(path: Path, manifest: Path) -> dict[str, NDArray[np.int32]]:
    if not manifest.is_file():
        raise InputError(
            "has no utterance ids, and the manifest that names them is not there",
            where=path,
            hint=f"give the .tsv it was made from, or put it at {manifest}",
        )
    # The first line of a fairseq manifest is the root folder, the others are "path<TAB>samples".
    names = [_stem(line.split("\t")[0]) for line in text_lines(manifest, "manifest")[1:] if line.strip()]
    lines = text_lines(path, ".km")
    if len(lines) != len(names):
        raise InputError(
            f"has {len(lines)} lines, but {manifest} names {len(names)} files",
            where=path,
            hint="give the manifest the units were made from",
        )
    sequences: dict[str, NDArray[np.int32]] = {}
    for number, (name, line) in enumerate(zip(names, lines, strict=True), 1):
        add_sequence(sequences, name, parse_codes(line.split(), path, number), path, number)
    return sequences


def _read_npy_folder(folder: Path) -> dict[str, NDArray[np.int32]]:
    sequences: dict[str, NDArray[np.int32]] = {}
    for file in sorted(folder.rglob("*.npy")):
        array = read_npy(file)
        if array.size == array.shape[-1] if array.ndim else False:
            array = array.reshape(-1)
        if array.ndim != 1:
            raise InputError(
                f"an array of shape {array.shape}, not (frames,)",
                where=file,
                hint="keep one codebook per file, e.g. the first quantiser's",
            )
        if not np.issubdtype(array.dtype, np.integer) and not np.array_equal(array, np.floor(array)):
            raise InputError(
                f"an array of {array.dtype}, not of integers", where=file, hint="give indices of codes, not vectors"
            )
        if array.size and (array.min() < 0 or array.max() > np.iinfo(np.int32).max):
            raise InputError("a code is out of range", where=file, hint="codes start at 0")
        add_sequence(sequences, file.stem, array.astype(np.int32), file, None)
    return sequences
