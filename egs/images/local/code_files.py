"""The folder of codes that ``encode.py`` writes, as data for training and scoring priors."""

from __future__ import annotations

from pathlib import Path

from pictures import PARTS

from vqspeech import codes
from vqspeech.errors import InputError
from vqspeech.training.prior.dataset import CodeData


def read_code_data(folder: Path) -> dict[str, CodeData]:
    """Read all parts; the classes stand in the place of speakers, and are those of all parts.

    Raises:
        InputError: a file is missing or damaged.
    """
    listing = folder / "utt2spk"
    classes: dict[str, str] = {}
    for number, line in enumerate(listing.read_text(encoding="utf-8").splitlines(), 1):
        words = line.split()
        if len(words) != 2:
            raise InputError("expected an image and its class", where=listing, line=number, hint="encode again")
        classes[words[0]] = words[1]
    names = tuple(sorted(set(classes.values())))
    found = {}
    for part in PARTS:
        held = codes.read(folder / f"{part}.txt")
        found[part] = CodeData.collect(
            held.sequences, classes, codes=held.info.codebook_size, made_by=held.info.checksum, names=names
        )
    return found


def read_grid(folder: Path) -> tuple[int, int]:
    """Rows and columns of the codes of an image.

    Raises:
        InputError: ``grid.txt`` is damaged.
    """
    where = folder / "grid.txt"
    words = where.read_text(encoding="utf-8").split()
    if len(words) != 2 or not all(word.isdecimal() for word in words):
        raise InputError("expected rows and columns", where=where, line=1, hint="encode again")
    return int(words[0]), int(words[1])
