"""fairseq's ``.km``, its ``.tsv`` manifest and ``dict.km.txt``, as HuBERT is trained on them.

fairseq, ``examples/hubert/simple_kmeans``: line ``i`` of the ``.km`` has the units of the recording in line ``i + 1``
of the manifest, whose first line is the root folder and whose others are ``path<TAB>samples``; ``dict.km.txt`` has a
line ``unit 1`` per unit.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vqspeech.codes.archive import Codes, PathLike, add_sequence, parse_codes, text_lines
from vqspeech.counts import counted
from vqspeech.errors import InputError
from vqspeech.files import atomic_open

#: What the manifest counts samples in, where nothing says otherwise.
RATE = 16_000


def read_km(path: PathLike, manifest: PathLike | None = None) -> dict[str, NDArray[np.int32]]:
    """Utterance id -> codes, ``(frames,)``.

    Args:
        path: the ``.km``.
        manifest: the ``.tsv`` beside it (same stem) when absent.

    Raises:
        InputError: naming file and line.
    """
    path = Path(path)
    manifest = Path(manifest) if manifest is not None else path.with_suffix(".tsv")
    if not manifest.is_file():
        raise InputError(
            "has no utterance ids, and the manifest that names them is not there",
            where=path,
            hint=f"give the .tsv it was made from, or put it at {manifest}",
        )
    names = [stem(line.split("\t")[0]) for line in text_lines(manifest, "manifest")[1:] if line.strip()]
    lines = text_lines(path, ".km")
    if len(lines) != len(names):
        raise InputError(
            f"has {counted(len(lines), 'line')}, but {manifest} names {counted(len(names), 'file')}",
            where=path,
            hint="give the manifest the units were made from",
        )
    sequences: dict[str, NDArray[np.int32]] = {}
    for number, (name, line) in enumerate(zip(names, lines, strict=True), 1):
        add_sequence(sequences, name, parse_codes(line.split(), path, number), path, number)
    return sequences


def write_km(path: PathLike, codes: Codes) -> None:
    """Write the ``.km``, beside it the manifest (same stem) and ``dict.km.txt``.

    The manifest's root is ``.``, its recordings are ``utterance-id.wav``, their samples those of the frames at 16 kHz:
    put in your own where HuBERT is to be trained on the recordings.
    """
    path = Path(path)
    with atomic_open(path.with_suffix(".tsv")) as file:
        file.write(".\n")
        for name, sequence in codes.sequences.items():
            file.write(f"{name}.wav\t{round(codes.info.duration(sequence.size) * RATE)}\n")
    with atomic_open(path.with_name("dict.km.txt")) as file:
        file.writelines(f"{unit} 1\n" for unit in range(codes.info.codebook_size))
    with atomic_open(path) as file:
        file.writelines(" ".join(map(str, sequence.tolist())) + "\n" for sequence in codes.sequences.values())


def stem(name: str) -> str:
    """``a/b.wav`` -> ``b``."""
    return Path(name.replace("\\", "/")).stem
