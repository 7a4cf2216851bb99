"""VCTK (Veaux, Yamagishi, MacDonald; CSTR Edinburgh): 110 speakers of English reading newspaper sentences.

Two layouts are read. 0.92 has two microphones, silence trimmed: ``wav48_silence_trimmed/p225/p225_001_mic1.flac``.
0.80 has one: ``wav48/p225/p225_001.wav``. Transcripts are ``txt/p225/p225_001.txt``, genders in ``speaker-info.txt``.
Known gaps: p315 has no transcripts, p280 no second microphone (in 0.92 neither has p315).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from vqspeech.corpora.layout import (
    audio_files,
    choose,
    folders,
    length,
    log,
    read_text,
    read_transcript,
    report_left_out,
    require_folder,
    require_some,
)
from vqspeech.corpora.parts import Parts
from vqspeech.datadir import DataDir, Utterance
from vqspeech.errors import InputError

LAYOUT = (
    "wav48_silence_trimmed/p225/p225_001_mic1.flac (0.92) or wav48/p225/p225_001.wav (0.80), "
    "and txt/p225/p225_001.txt, in VCTK's own folder"
)


def prepare(
    source: Path,
    *,
    speakers: Sequence[str] | None = None,
    mic: Literal["mic1", "mic2"] = "mic1",
    text: bool = True,
    parts: Parts | None = None,
) -> dict[str, DataDir]:
    """VCTK as data directories.

    Args:
        source: the folder that holds ``txt`` and ``wav48_silence_trimmed`` or ``wav48``.
        speakers: the speakers to take (``p225``); None for all.
        mic: the microphone, in the 0.92 layout.
        text: take transcripts, and leave out recordings that have none; False takes all recordings without.
        parts: the division; None for the default one.

    Raises:
        InputError: the folder is not laid out as VCTK is, or a speaker is not in it.
    """
    source = require_folder(source, LAYOUT)
    root = next((f for f in (source, *folders(source)) if _audio_folder(f)), None)
    if root is None:
        raise InputError("not laid out as VCTK", where=source, hint=f"expected {LAYOUT}")
    audio_folder = _audio_folder(root)
    assert audio_folder is not None
    microphone = f"_{mic}" if audio_folder.name == "wav48_silence_trimmed" else ""
    if not microphone and mic != "mic1":
        raise InputError("VCTK 0.80 has one microphone", where=audio_folder, hint="leave out the choice of microphone")
    available = {folder.name: folder for folder in folders(audio_folder)}
    genders = _genders(root / "speaker-info.txt")
    utterances: list[Utterance] = []
    silent: list[str] = []
    for speaker in sorted(choose(available, speakers, source)):
        files = [f for f in audio_files(available[speaker]) if f.stem.endswith(microphone)]
        if not files:
            log.warning("left out: speaker %s has no recordings%s", speaker, microphone and f" of microphone {mic}")
        texts = {f: read_transcript(root / "txt" / speaker / f"{_name(f)}.txt") if text else None for f in files}
        if files and text and not any(texts.values()):
            log.warning("left out: speaker %s has no transcripts (--no-text takes such recordings too)", speaker)
            continue
        for file, transcript in texts.items():
            if text and transcript is None:
                silent.append(file.name)
            elif (duration := length(file)) is not None:
                utterances.append(
                    Utterance(
                        id=_name(file) if _name(file).startswith(speaker) else f"{speaker}-{_name(file)}",
                        speaker=speaker,
                        recording=str(file),
                        text=transcript,
                        gender=genders.get(speaker),
                        duration=duration,
                    )
                )
    report_left_out("no transcript", silent)
    require_some(utterances, source, LAYOUT)
    return (parts or Parts()).divide(utterances)


def _audio_folder(root: Path) -> Path | None:
    for name in ("wav48_silence_trimmed", "wav48", "wav16"):
        if (root / name).is_dir():
            return root / name
    return None


def _name(file: Path) -> str:
    return re.sub(r"_mic[12]$", "", file.stem)


def _genders(file: Path) -> dict[str, str]:
    """Speaker -> m or f. In 0.80 the speakers are given without their p."""
    if not file.is_file():
        return {}
    rows = (line.split() for line in read_text(file).splitlines())
    return {
        f"p{words[0]}" if words[0].isdecimal() else words[0]: words[2].lower()
        for words in rows
        if len(words) > 2 and words[2] in ("M", "F")
    }
