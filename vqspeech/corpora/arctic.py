"""CMU ARCTIC (Kominek and Black 2004) and other Festvox voices: one speaker a folder, the same prompts for all.

``cmu_us_bdl_arctic/wav/arctic_a0001.wav`` with ``cmu_us_bdl_arctic/etc/txt.done.data``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from vqspeech.corpora.layout import (
    audio_files,
    choose,
    folders,
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

LAYOUT = (
    "cmu_us_bdl_arctic/wav/arctic_a0001.wav and cmu_us_bdl_arctic/etc/txt.done.data, one speaker's folder or several"
)

#: The corpus gives genders in its documentation only.
_MEN = ("aew", "ahw", "aup", "awb", "bdl", "fem", "gka", "jmk", "ksp", "rms", "rxr")
_WOMEN = ("axb", "clb", "eey", "ljm", "lnh", "slp", "slt")
GENDERS = dict.fromkeys(_MEN, "m") | dict.fromkeys(_WOMEN, "f")


def prepare(source: Path, *, speakers: Sequence[str] | None = None, parts: Parts | None = None) -> dict[str, DataDir]:
    """CMU ARCTIC as data directories, utterance ids like ``bdl-arctic_a0001``.

    By utterance, it is the prompt that goes to a part: every speaker's reading of it goes to the same one, so that
    no sentence of test is in training by another voice, and test holds parallel readings.

    Args:
        source: one speaker's folder, or a folder of several.
        speakers: the speakers to take (``bdl``); None for all.
        parts: the division; None for the default one.

    Raises:
        InputError: no speaker's folder is found, or ``txt.done.data`` has a faulty line.
    """
    source = require_folder(source, LAYOUT)
    available = {_speaker(f): f for f in (source, *folders(source)) if (f / "etc" / "txt.done.data").is_file()}
    if not available:
        raise InputError("no speaker with etc/txt.done.data found", where=source, hint=f"expected {LAYOUT}")
    utterances: list[Utterance] = []
    for speaker in sorted(choose(available, speakers, source)):
        texts = _prompts(available[speaker] / "etc" / "txt.done.data")
        files = {file.stem: file for file in audio_files(available[speaker] / "wav")}
        report_left_out("no transcript", [file.name for name, file in files.items() if name not in texts])
        report_left_out(f"transcribed but without audio in {speaker}/wav", [n for n in texts if n not in files])
        for name, file in files.items():
            if name in texts and (duration := length(file)) is not None:
                utterances.append(
                    Utterance(
                        id=f"{speaker}-{name}",
                        speaker=speaker,
                        recording=str(file),
                        text=texts[name],
                        gender=GENDERS.get(speaker),
                        duration=duration,
                    )
                )
    require_some(utterances, source, LAYOUT)
    return (parts or Parts()).divide(utterances, key=_prompt)


def _prompt(utterance: Utterance) -> str:
    return utterance.id.removeprefix(f"{utterance.speaker}-")


def _speaker(folder: Path) -> str:
    """Bdl for cmu_us_bdl_arctic or cmu_us_bdl_arctic-0.95-release; the folder's name for other voices."""
    match = re.match(r"cmu_[a-z]+_(\w+?)_arctic", folder.name)
    return match[1] if match else re.sub(r"[^\w.]+", "_", folder.name)


def _prompts(file: Path) -> dict[str, str]:
    r"""Prompt name -> text, from lines like ``( arctic_a0001 "Author of the \"danger\" trail." )``."""
    prompts = {}
    for number, line in enumerate(read_text(file).splitlines(), 1):
        if not line.strip():
            continue
        match = re.fullmatch(r'\s*\(\s*(\S+)\s+"(.*)"\s*\)\s*', line)
        text = clean(match[2].replace('\\"', '"')) if match else ""
        if match is None or not text:
            raise InputError("not a prompt", where=file, line=number, hint='a line is ( name "words" )')
        prompts[match[1]] = text
    return prompts
