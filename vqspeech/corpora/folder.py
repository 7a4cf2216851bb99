"""Any recordings: a folder with one sub-folder per speaker, transcripts (``.txt`` beside the audio) or none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from vqspeech.corpora.layout import (
    audio_files,
    choose,
    folders,
    length,
    read_transcript,
    report_left_out,
    require_folder,
    require_some,
)
from vqspeech.corpora.parts import Parts
from vqspeech.counts import counted
from vqspeech.datadir import DataDir, Utterance
from vqspeech.errors import InputError

LAYOUT = "SPEAKER/any-name.wav (or .flac, .mp3 ...), one sub-folder per speaker, with any-name.txt beside it or not"


def prepare(
    source: Path,
    *,
    speakers: Sequence[str] | None = None,
    text: bool = True,
    parts: Parts | None = None,
) -> dict[str, DataDir]:
    """A plain folder as data directories.

    A speaker is a sub-folder, an utterance any audio file at any depth in it; characters that ids cannot hold
    become ``_``. Transcripts are taken when at least one recording has one; the recordings that have none are then
    left out.

    Args:
        source: the folder.
        speakers: the speakers to take; None for all.
        text: False takes all recordings and no transcripts.
        parts: the division; None for the default one.

    Raises:
        InputError: there are no sub-folders with audio, or two names become the same id.
    """
    source = require_folder(source, LAYOUT)
    available = {folder: audio_files(folder, deep=True) for folder in folders(source)}
    named: dict[str, Path] = {}
    for folder in (folder for folder, files in available.items() if files):
        if (other := named.setdefault(_plain(folder.name), folder)) is not folder:
            raise InputError(f"speaker would have the same id as {other.name}", where=folder, hint="rename one of them")
    if not named:
        loose = audio_files(source)
        problem = f"{counted(len(loose), 'recording')} but no speaker folders" if loose else "no recordings found"
        raise InputError(problem, where=source, hint=f"expected {LAYOUT}")
    for speaker in named:
        if longer := next((name for name in named if name.startswith(f"{speaker}-")), None):
            hint = f"rename {speaker!r}, so that its utterances sort apart from those of {longer!r}"
            raise InputError(f"speaker {speaker!r} begins the name of {longer!r}", where=named[speaker], hint=hint)
    chosen = sorted(choose(named, speakers, source))
    files = [(speaker, file) for speaker in chosen for file in available[named[speaker]]]
    texts = {file: read_transcript(file.with_suffix(".txt")) if text else None for _, file in files}
    if any(texts.values()):
        report_left_out(
            "no transcript (--no-text takes such recordings too)", [f.name for f, words in texts.items() if not words]
        )
        files = [(speaker, file) for speaker, file in files if texts[file]]
    utterances: dict[str, Utterance] = {}
    for speaker, file in files:
        name = f"{speaker}-{_plain(file.relative_to(named[speaker]).with_suffix('').as_posix().replace('/', '-'))}"
        if name in utterances:
            hint = f"rename it, or remove {utterances[name].recording}"
            raise InputError(f"utterance would have the same id {name} as another", where=file, hint=hint)
        if (duration := length(file)) is not None:
            utterances[name] = Utterance(
                id=name, speaker=speaker, recording=str(file), text=texts[file], duration=duration
            )
    require_some(list(utterances.values()), source, LAYOUT)
    return (parts or Parts()).divide(utterances.values())


def _plain(name: str) -> str:
    """``name`` with what an id cannot hold, or what sorts before the hyphen after a speaker id, as ``_``."""
    return re.sub(r"[^\w.-]+", "_", name)
