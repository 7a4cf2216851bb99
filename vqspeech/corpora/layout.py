"""What the corpus modules share: finding audio and transcripts on disk, choosing speakers, leaving out with a word."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from vqspeech import audio
from vqspeech.datadir import Utterance
from vqspeech.datadir.tables import clean, decode
from vqspeech.errors import InputError

log = logging.getLogger(__name__)

#: Suffixes of what libsndfile reads, lower case.
AUDIO_SUFFIXES = frozenset(
    f".{suffix}"
    for suffix in (
        *("wav", "flac", "opus", "ogg", "oga", "mp3", "aiff", "aif", "aifc", "au", "snd", "sph", "nist"),
        *("w64", "rf64", "caf", "voc", "avr"),
    )
)


def require_folder(source: Path, layout: str) -> Path:
    """``source`` as an absolute path.

    Raises:
        InputError: it is no folder.
    """
    if not source.is_dir():
        raise InputError("no such folder", where=source, hint=f"expected {layout}")
    return source.absolute()


def folders(parent: Path) -> list[Path]:
    """The sub-folders that are not hidden, sorted."""
    return sorted(path for path in parent.iterdir() if path.is_dir() and not path.name.startswith("."))


def audio_files(parent: Path, *, deep: bool = False) -> list[Path]:
    """The audio files of a folder (and, deep, of all folders in it), sorted; hidden ones left out."""
    paths = parent.rglob("*") if deep else parent.glob("*")
    return sorted(
        path
        for path in paths
        if path.suffix.lower() in AUDIO_SUFFIXES and not path.name.startswith(".") and path.is_file()
    )


def read_text(path: Path) -> str:
    """The text of a file, whatever its encoding (UTF-8, UTF-16 with its mark, else Western European)."""
    return decode(path.read_bytes())[0]


def read_transcript(path: Path) -> str | None:
    """A file that holds one transcript, as one line; None when there is no such file or nothing in it."""
    return (clean(read_text(path)) or None) if path.is_file() else None


def choose(speakers: Iterable[str], wanted: Sequence[str] | None, source: Path) -> set[str]:
    """The speakers to prepare: all, or those wanted.

    Raises:
        InputError: one that is wanted is not there; the hint names the nearest spellings.
    """
    present = sorted(set(speakers))
    for speaker in wanted or ():
        if speaker not in present:
            near = difflib.get_close_matches(speaker, present, n=3, cutoff=0.3) or present[:8]
            raise InputError(f"no speaker {speaker!r}", where=source, hint=f"there are {', '.join(near)} ...")
    return set(wanted or present)


def length(path: Path) -> float | None:
    """Seconds of audio by the header; None, with a warning, for a file that cannot be read or holds nothing."""
    try:
        seconds = audio.duration(path)
    except InputError as error:
        log.warning("left out: %s", error)
        return None
    if seconds <= 0:
        log.warning("left out: %s: holds no audio", path)
        return None
    return seconds


def report_left_out(what: str, names: Sequence[object]) -> None:
    """One warning for a whole list of things that were left out for the same reason."""
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        log.warning("left out, %s: %s%s", what, ", ".join(map(str, names[:3])), more)


def require_some(utterances: Sequence[Utterance], source: Path, layout: str) -> None:
    """Refuse a corpus in which nothing was found.

    Raises:
        InputError: no utterance is left.
    """
    if not utterances:
        raise InputError("no usable recordings found", where=source, hint=f"expected {layout}")
