"""Alignments that another tool has written as TextGrids: Montreal Forced Aligner, WebMAUS, a person in Praat."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from vqspeech.aligners.pocketsphinx import Aligned
from vqspeech.alignment import read_textgrid, read_tiers
from vqspeech.errors import InputError


def read_textgrids(
    folder: str | os.PathLike[str],
    utterances: Collection[str],
    *,
    phones: str | None = None,
    words: str | None = None,
) -> tuple[dict[str, Aligned], dict[str, str]]:
    """Read the TextGrids of the given utterances.

    A file is found by its stem, or by its folder and stem (``speaker_stem``, ``speaker-stem``), wherever it lies below
    ``folder``: Montreal writes one folder per speaker.

    Args:
        folder: where the TextGrids are.
        utterances: ids.
        phones: name of the phones' tier; found by its name when absent (:func:`vqspeech.alignment.read_textgrid`).
        words: name of the words' tier; the one whose name ends with ``words`` when absent.

    Returns:
        What was read, and for each utterance without, the reason.

    Raises:
        InputError: there is no TextGrid of any of the utterances.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(
            "no such folder", where=folder, hint="give the folder that the aligner wrote its TextGrids into"
        )
    files: dict[str, list[Path]] = {}
    for file in sorted(folder.rglob("*")):
        if file.suffix.lower() == ".textgrid":
            for name in (file.stem, f"{file.parent.name}_{file.stem}", f"{file.parent.name}-{file.stem}"):
                files.setdefault(name, []).append(file)
    read: dict[str, Aligned] = {}
    failed: dict[str, str] = {}
    for utterance in utterances:
        found = files.get(utterance, [])
        if len(found) != 1:
            places = ", ".join(map(str, found[:2]))
            failed[utterance] = f"several TextGrids: {places}" if found else "no TextGrid of this name"
            continue
        try:
            row = read_textgrid(found[0], tier=phones)
            tiers = read_tiers(found[0])
        except InputError as error:
            failed[utterance] = str(error)
            continue
        tier = words or next((name for name in tiers if name.lower().endswith("words")), "")
        read[utterance] = Aligned(row, tiers.get(tier, []))
    if not read:
        first = next(iter(failed.items()), ("no utterance", "nothing to look for"))
        raise InputError(
            f"no alignment of any utterance; {first[0]}: {first[1]}",
            where=folder,
            hint="TextGrids are found by name: UTTERANCE.TextGrid, or SPEAKER/UTTERANCE.TextGrid",
        )
    return read, failed
