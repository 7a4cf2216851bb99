"""LibriSpeech (Panayotov et al. 2015): readers of audio books, ``PART/SPEAKER/CHAPTER/SPEAKER-CHAPTER-NNNN.flac``.

Each chapter has ``SPEAKER-CHAPTER.trans.txt`` with one line per utterance; ``SPEAKERS.TXT`` at the top gives genders.
Also mini LibriSpeech, LibriLight's and others' copies of that layout, in any audio format.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vqspeech.corpora.layout import (
    audio_files,
    choose,
    length,
    log,
    read_text,
    report_left_out,
    require_folder,
    require_some,
)
from vqspeech.corpora.parts import Parts
from vqspeech.datadir import DataDir, Utterance
from vqspeech.datadir.tables import clean
from vqspeech.errors import InputError

LAYOUT = "train-clean-5/19/198/19-198-0000.flac (or .opus) beside 19-198.trans.txt, in LibriSpeech's folder or a part's"


def prepare(
    source: Path,
    *,
    speakers: Sequence[str] | None = None,
    parts: Parts | None = None,
) -> dict[str, DataDir]:
    """LibriSpeech as data directories: utterance ids as they are (``19-198-0000``), speakers by number (``19``).

    Args:
        source: the corpus, or one part of it such as ``train-clean-5``.
        speakers: the speakers to take; None for all.
        parts: the division; None for the default one. The official one takes ``train`` from the folders whose name
            begins with train, ``dev`` and ``test`` likewise; their speakers differ.

    Raises:
        InputError: the folder is not laid out as LibriSpeech is, or a speaker is not in it.
    """
    source = require_folder(source, LAYOUT)
    chapters = {path.parent: path for path in sorted(source.rglob("*.trans.txt"))}
    if not chapters:
        raise InputError("no chapter with its .trans.txt found", where=source, hint=f"expected {LAYOUT}")
    chosen = choose((chapter.parent.name for chapter in chapters), speakers, source)
    genders = _genders(source)
    utterances: dict[str, Utterance] = {}
    untranscribed: list[str] = []
    lacking: list[str] = []
    for chapter, transcripts in chapters.items():
        speaker = chapter.parent.name
        if speaker not in chosen:
            continue
        texts = _transcripts(transcripts)
        files = {file.stem: file for file in audio_files(chapter)}
        lacking += [name for name in texts if name not in files]
        for name, file in files.items():
            if name not in texts:
                untranscribed.append(file.name)
            elif name in utterances:
                log.warning("left out: %s, the same utterance is in %s", file, utterances[name].recording)
            elif (duration := length(file)) is not None:
                utterances[name] = Utterance(
                    id=name if name.startswith(speaker) else f"{speaker}-{name}",
                    speaker=speaker,
                    recording=str(file),
                    text=texts[name],
                    gender=genders.get(speaker),
                    duration=duration,
                )
    report_left_out("no transcript", untranscribed)
    report_left_out("transcribed but without audio", lacking)
    require_some(list(utterances.values()), source, LAYOUT)
    return (parts or Parts()).divide(utterances.values(), official=_official)


def _official(utterance: Utterance) -> str:
    """The part by the name of its folder, three above the file: train-clean-100 is train."""
    return Path(utterance.recording).parents[2].name.split("-")[0]


def _transcripts(file: Path) -> dict[str, str]:
    texts = {}
    for number, line in enumerate(read_text(file).splitlines(), 1):
        name, _, text = clean(line).partition(" ")
        if name and not text:
            raise InputError(f"{name} has no words", where=file, line=number, hint="a line is 'utterance-id WORDS'")
        if name:
            texts[name] = text
    return texts


def _genders(source: Path) -> dict[str, str]:
    """Speaker -> m or f, from SPEAKERS.TXT in the source or, when that is one part, in the folder above it."""
    for folder in (source, *list(source.parents)[:2], *source.glob("*/")):
        if (folder / "SPEAKERS.TXT").is_file():
            rows = (line.split("|") for line in read_text(folder / "SPEAKERS.TXT").splitlines() if line[:1] != ";")
            return {row[0].strip(): row[1].strip().lower() for row in rows if len(row) > 1 and row[1].strip() in "MF"}
    return {}
