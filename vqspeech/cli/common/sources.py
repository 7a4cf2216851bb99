"""The recordings that the words of a command line name."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vqspeech.audio import media
from vqspeech.errors import InputError, one_line
from vqspeech.files import is_special
from vqspeech.speaker_blend import is_voice_label

#: Endings of files that a folder is searched for.
SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".au", ".sph", ".w64"})
#: Endings of files that the extra ``media`` reads.
_MEDIA = frozenset({".m4a", ".aac", ".mp4", ".wma", ".webm", ".amr", ".3gp", ".mkv", ".mov"})


@dataclass(frozen=True)
class Source:
    """A recording and what to call it.

    Attributes:
        name: utterance id or file stem.
        recording: a path, ``-`` or a ``vqspeech.pipes.Pipe``.
        start: seconds, None for the beginning.
        end: seconds, None for the end.
    """

    name: str
    recording: str
    start: float | None = None
    end: float | None = None


def sources(given: Sequence[str], *, converted_to: Sequence[str] = ()) -> list[Source]:
    """The recordings that the words on the command line name: files, ``-``, folders, data directories.

    Of a folder, hidden files are left out, and said to be left out are recordings in formats that cannot be read.

    Args:
        given: the words.
        converted_to: speakers; ``a-p225.wav`` beside ``a.wav`` is what ``convert`` wrote, no source.

    Raises:
        InputError: there is no such thing, or it holds no recordings.
    """
    found: list[Source] = []
    for word in given:
        path = Path(word)
        if not word:
            raise InputError("a recording of no name", hint="write . for this folder")
        if word == "-":
            found.append(Source("stdin", word))
        elif (path / "wav.scp").is_file():
            from vqspeech.datadir import DataDir

            found += [Source(u.id, u.recording, u.start, u.end) for u in DataDir.read(path)]
        elif path.is_dir():
            found += [Source(file.stem, str(file)) for file in _in_folder(path, converted_to)]
        elif path.exists():
            found.append(Source(path.stem, word))
        elif "://" in word:
            raise InputError("a URL, not a file", where=word, hint="download it first: vqspeech fetch")
        else:
            raise InputError("no such file or folder", where=word, hint="check the path")
    return found


def require_unique(found: Sequence[Source]) -> None:
    """Refuse recordings of one name, where names are ids.

    Raises:
        InputError: it names two of them.
    """
    recordings: dict[str, str] = {}
    for source in found:
        other = recordings.setdefault(source.name, source.recording)
        if other is not source.recording:
            raise InputError(
                f"{other} and {source.recording} are both called {source.name}",
                hint="rename one, or list them in a data directory",
            )


def _in_folder(folder: Path, speakers: Sequence[str]) -> list[Path]:
    visible = [file for file in sorted(folder.iterdir()) if not file.name.startswith(".")]
    suffixes = SUFFIXES | _MEDIA if media.available() else SUFFIXES
    files = [file for file in visible if file.suffix.lower() in suffixes]
    stems = {file.stem for file in files}
    made = [file for file in files if _made_by_convert(file.stem, stems, speakers)]
    unnamed = [file for file in files if not file.name.isprintable()]
    special = [file for file in files if is_special(file)]
    others = [file for file in visible if file.suffix.lower() in _MEDIA - suffixes]
    deeper = sorted({f.parent for f in folder.glob("[!.]*/[!.]*") if f.suffix.lower() in suffixes})
    for left_out, why in (
        (made, "written by convert"),
        (unnamed, "not UTF-8, or with control characters in its name"),
        (special, "a pipe or a device, not a file"),
        (others, "in a format that pip install 'vqspeech[media]' reads"),
        (deeper if files else [], "a folder inside the folder (name it, too, to take its recordings)"),
    ):
        if left_out:
            more = f" and {len(left_out) - 1} more" if len(left_out) > 1 else ""
            print(f"left out: {one_line(left_out[0])}{more}, {why}", file=sys.stderr)
    taken = [file for file in files if file not in {*made, *unnamed, *special}]
    if not taken:
        hint = "give a folder of WAV, FLAC, OGG or MP3 files"
        raise InputError(
            "no recordings in it", where=folder, hint=f"name its sub-folders: {folder}/*/" if deeper else hint
        )
    return taken


def _made_by_convert(stem: str, stems: set[str], speakers: Sequence[str]) -> bool:
    places = [place for place, character in enumerate(stem) if character == "-"]
    return any(stem[:place] in stems and is_voice_label(stem[place + 1 :], speakers) for place in places)
