"""Options that all commands share that use a model, and the sources they take."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vqspeech import ranges
from vqspeech.errors import InputError

if TYPE_CHECKING:
    from vqspeech.api import Model

#: Endings of files that a folder is searched for.
SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".au", ".sph", ".w64"})


def add_model(parser: argparse.ArgumentParser) -> None:
    """Declare ``--model`` and ``--device``."""
    parser.add_argument(
        "--model", type=Path, metavar="DIR", help="model directory or experiment; default: the packaged model"
    )
    parser.add_argument("--device", default="cpu", help="where the networks compute; default: cpu")


def add_generation(parser: argparse.ArgumentParser) -> None:
    """Declare what the drawing of samples depends on."""
    parser.add_argument(
        "--temperature", type=ranges.TEMPERATURE, default=1.0, metavar="T", help="0 is always likeliest; default: 1"
    )
    add_post_filter(parser)
    parser.add_argument(
        "--seed", type=ranges.SEED, default=0, metavar="N", help="the same seed, the same speech; default: 0"
    )
    parser.add_argument("--engine", choices=("auto", "native", "torch"), default="auto", help="default: auto")
    parser.add_argument("--precision", choices=("fp32", "bf16", "int8"), default="fp32", help="default: fp32")
    parser.add_argument(
        "--threads", type=ranges.WORKERS, default=1, metavar="N", help="of the native engine; default: 1"
    )
    parser.add_argument("--force", action="store_true", help="write over files that are there")


def add_post_filter(parser: argparse._ActionsContainer) -> None:
    """Declare ``--post-filter``."""
    parser.add_argument(
        "--post-filter",
        type=ranges.SHARE,
        metavar="S",
        help="how far speech is brought to the spectrum expected of its codes, 0 to 1; default: 0.5",
    )


def load(options: argparse.Namespace) -> Model:
    """The model that the options name."""
    import vqspeech
    from vqspeech.devices import find_device

    names = ("engine", "precision", "threads", "post_filter")
    given = {name: value for name in names if (value := getattr(options, name, None)) is not None}
    return vqspeech.load(options.model, device=str(find_device(options.device)), **given)


@dataclass(frozen=True)
class Source:
    """A recording and what to call it.

    Attributes:
        name: utterance id or file stem.
        recording: a path, ``-`` or a Kaldi pipe.
        start: seconds, None for the beginning.
        end: seconds, None for the end.
    """

    name: str
    recording: str
    start: float | None = None
    end: float | None = None


def sources(given: list[str]) -> list[Source]:
    """The recordings that the words on the command line name: files, ``-``, folders, data directories.

    Raises:
        InputError: there is no such thing, or it holds no recordings.
    """
    found: list[Source] = []
    for word in given:
        path = Path(word)
        if word == "-":
            found.append(Source("stdin", word))
        elif (path / "wav.scp").is_file():
            from vqspeech.datadir import DataDir

            found += [Source(u.id, u.recording, u.start, u.end) for u in DataDir.read(path)]
        elif path.is_dir():
            files = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)
            if not files:
                raise InputError("no recordings in it", where=path, cure="give a folder of WAV, FLAC, OGG or MP3 files")
            found += [Source(file.stem, str(file)) for file in files]
        elif path.exists():
            found.append(Source(path.stem, word))
        else:
            raise InputError("no such file or folder", where=path, cure="check the path")
    return found
