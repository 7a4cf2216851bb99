"""TIMIT (Garofolo et al. 1993): 630 speakers, ten sentences each, phones labelled by hand.

Its own layout, ``TRAIN/DR1/FCJF0/SA1.WAV`` (NIST SPHERE or RIFF), and that of NLTK's sample, ``dr1-fcjf0/sa1.flac``;
in both ``.PHN``, ``.WRD`` and ``.TXT`` lie beside the audio, names in either case.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from vqspeech.corpora.layout import (
    AUDIO_SUFFIXES,
    choose,
    length,
    read_text,
    report_left_out,
    require_folder,
    require_some,
)
from vqspeech.corpora.parts import Parts
from vqspeech.datadir import DataDir, Utterance
from vqspeech.datadir.tables import clean
from vqspeech.errors import InputError

LAYOUT = "TRAIN/DR1/FCJF0/SA1.WAV or dr1-fcjf0/sa1.flac, with SA1.PHN and SA1.TXT beside it"


def prepare(source: Path, *, speakers: Sequence[str] | None = None, parts: Parts | None = None) -> dict[str, DataDir]:
    """TIMIT as data directories, utterance ids like ``fcjf0-sa1``, all in lower case.

    Args:
        source: the corpus, in either layout.
        speakers: the speakers to take (``fcjf0``); None for all.
        parts: the division; None for the default one. The official one is that of the folders TRAIN and TEST.

    Raises:
        InputError: the folder is not laid out as TIMIT is, or a speaker is not in it.
    """
    source = require_folder(source, LAYOUT)
    labels = sorted(path for path in source.rglob("*") if path.suffix.lower() == ".phn")
    if not labels:
        raise InputError("no .phn labels found", where=source, hint=f"expected {LAYOUT}")
    chosen = choose((_speaker(label) for label in labels), speakers, source)
    utterances: list[Utterance] = []
    silent: list[str] = []
    untranscribed: list[str] = []
    for label in labels:
        speaker = _speaker(label)
        if speaker not in chosen:
            continue
        file, text = _audio(label), _transcript(label)
        if file is None:
            silent.append(label.name)
        elif text is None:
            untranscribed.append(label.name)
        elif (duration := length(file)) is not None:
            utterances.append(
                Utterance(
                    id=f"{speaker}-{label.stem.lower()}",
                    speaker=speaker,
                    recording=str(file),
                    text=text,
                    gender=speaker[0] if speaker[0] in "mf" else None,
                    duration=duration,
                )
            )
    report_left_out("labels without audio", silent)
    report_left_out("labels without a transcript", untranscribed)
    require_some(utterances, source, LAYOUT)
    return (parts or Parts()).divide(utterances, official=_official if _has_parts(utterances) else None)


def label_file(utterance: Utterance) -> Path:
    """The hand-labelled phones of an utterance that ``prepare`` gave."""
    audio = Path(utterance.recording)
    return next(path for path in _beside(audio.parent, _stem(audio)) if path.suffix.lower() == ".phn")


def _stem(path: Path) -> str:
    """sa1 for SA1.WAV, and for the SA1.WAV.wav that conversions leave."""
    return path.name.split(".")[0].lower()


def _beside(folder: Path, stem: str) -> list[Path]:
    return sorted(path for path in folder.iterdir() if _stem(path) == stem)


def _audio(label: Path) -> Path | None:
    files = [path for path in _beside(label.parent, _stem(label)) if path.suffix.lower() in AUDIO_SUFFIXES]
    return files[0] if files else None


def _transcript(label: Path) -> str | None:
    """The words; TIMIT's own files have the first and last sample before them."""
    files = [path for path in _beside(label.parent, _stem(label)) if path.suffix.lower() == ".txt"]
    return re.sub(r"^\d+ \d+ ", "", clean(read_text(files[0]))) or None if files else None


def _speaker(label: Path) -> str:
    return re.sub(r"^dr\d-", "", label.parent.name.lower())


def _official(utterance: Utterance) -> str:
    return next(name for name in reversed(Path(utterance.recording).parts) if name.lower() in ("train", "test")).lower()


def _has_parts(utterances: Sequence[Utterance]) -> bool:
    return all(any(name.lower() in ("train", "test") for name in Path(u.recording).parts[-4:-1]) for u in utterances)
