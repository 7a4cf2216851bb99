"""Units of other systems: HuBERT k-means, EnCodec tokens and the like."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vqspeech.codes.archive import (
    CodeInfo,
    Codes,
    PathLike,
    add_sequence,
    check_codes,
    check_info,
    decode_line,
    parse_codes,
    read,
    read_info,
)
from vqspeech.codes.fairseq import read_km, stem
from vqspeech.codes.jsonl import read_jsonl
from vqspeech.codes.mapped_codes import MappedCodes, mapped_file
from vqspeech.codes.npy_units import read_memory_map
from vqspeech.errors import InputError
from vqspeech.files import sidecar_path
from vqspeech.npy import read_npy


def read_units(
    path: PathLike,
    *,
    frame_period: float | None = None,
    offset: float | None = None,
    codebook_size: int | None = None,
    manifest: PathLike | None = None,
) -> Codes:
    """Read units in any format, with the times of their frames as given or from the JSON beside them.

    Arguments and errors as of :func:`import_units`; without ``frame_period``, there must be that JSON (``codes.json``
    of ``codes.txt``, ``units.km.json`` of ``units.km``). What ``vqspeech join`` made of binary shards is read whole.
    """
    path = Path(path)
    if frame_period is None and manifest is None and (mapped := mapped_file(path)):
        units = MappedCodes(mapped)
        return check_codes(Codes(units.info, _all_of(units)), mapped)
    if frame_period is not None:
        return import_units(
            path, frame_period=frame_period, offset=offset, codebook_size=codebook_size, manifest=manifest
        )
    if manifest is None and path.is_file() and path.suffix not in (".km", ".jsonl", ".npy", ".token"):
        return read(path)
    if not path.exists():
        raise InputError("no such file or folder", where=path, hint="check the path")
    if not sidecar_path(path).is_file():
        raise InputError("the frame period is not known", where=path, hint="name it with --frame-period SECONDS")
    return check_codes(Codes(read_info(path), _sequences(path, manifest)), path)


def import_units(
    path: PathLike,
    *,
    frame_period: float,
    offset: float | None = None,
    codebook_size: int | None = None,
    manifest: PathLike | None = None,
) -> Codes:
    """Read the units of another system: HuBERT k-means, EnCodec tokens and the like.

    Understood are: ``utt-id 1 2 3`` without a ``codes.json`` (ESPnet's token text); textless's ``file|1 2 3``;
    fairseq's ``.km``, a line of integers per utterance, named by the ``.tsv`` manifest it was made from; DiscoPhon's
    and slamkit's ``.jsonl``; a ``.npy`` with its index, see ``memory_map``; and a folder of ``.npy``, a file per
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
    sequences = _sequences(path, manifest)
    highest = max((int(codes.max()) for codes in sequences.values() if codes.size), default=0)
    info = CodeInfo(
        codebook_size=highest + 1 if codebook_size is None else codebook_size,
        frame_period=frame_period,
        offset=frame_period / 2 if offset is None else offset,
    )
    return check_codes(Codes(check_info(info, path), sequences), path)


def _sequences(path: Path, manifest: PathLike | None) -> dict[str, NDArray[np.int32]]:
    if manifest is None and (mapped := mapped_file(path)):
        sequences = _all_of(MappedCodes(mapped))
    elif path.is_dir():
        sequences = _read_npy_folder(path)
    elif path.suffix == ".km" or manifest is not None:
        sequences = read_km(path, manifest)
    elif path.suffix == ".jsonl":
        sequences = read_jsonl(path)
    elif path.suffix == ".npy":
        sequences = read_memory_map(path)
    else:
        sequences = _read_named_lines(path)
    if not sequences:
        raise InputError("no codes in it", where=path, hint="check that the file is not cut short")
    return sequences


def _all_of(units: MappedCodes) -> dict[str, NDArray[np.int32]]:
    return {name: sequence.astype(np.int32) for name, sequence in units.items()}


def _read_named_lines(path: Path) -> dict[str, NDArray[np.int32]]:
    sequences: dict[str, NDArray[np.int32]] = {}
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            line = decode_line(raw, path, number).strip()
            if "|" in line:
                name, _, rest = line.partition("|")
                name = stem(name.strip())
            else:
                name, _, rest = line.replace("\t", " ").partition(" ")
            if not name:
                raise InputError("an empty line", where=path, line=number, hint="remove it")
            add_sequence(sequences, name, parse_codes(rest.replace(",", " ").split(), path, number), path, number)
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
