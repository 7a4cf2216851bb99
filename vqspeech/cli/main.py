"""``vqspeech COMMAND``: finds the command's own file, runs it, and turns bad input into one line and exit code 2."""

from __future__ import annotations

import argparse
import importlib
import io
import logging
import os
import re
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn, TextIO

from vqspeech import __version__, pipes
from vqspeech.errors import InputError, RenamedWarning, one_line

#: Command -> what it does. Each is the module of that name (``-`` written ``_``) in this package, imported only when
#: it is called, so that ``vqspeech --help`` needs no torch.
COMMANDS: dict[str, dict[str, str]] = {
    "use a model": {
        "convert": "convert a recording to another speaker's voice",
        "live": "convert while you speak: microphone to loudspeaker, or stdin to stdout",
        "encode": "turn recordings into discrete codes",
        "decode": "turn discrete codes into speech",
        "convert-units": "convert discrete units between the formats of several systems",
        "models": "list the models that come with the package",
        "speakers": "list the speakers of a model",
        "sample": "generate speech from the model's prior",
        "continue": "continue a recording with samples of the prior",
        "score": "compute the bits per code of recordings under the prior",
        "serve": "open a page that converts, shows units and adapts, in a browser",
        "export": "write encoder and quantiser as ONNX or for torch alone",
        "info": "describe a model or a preset: rates, receptive field, size, engine",
    },
    "prepare data": {
        "fetch": "download a corpus: goes on where it stopped, checks the sum, unpacks",
        "prepare": "make Kaldi data directories from a corpus on disk",
        "validate": "check a data directory and name each fault's file and line",
        "fix": "repair a data directory: sort it, drop what is incomplete",
        "combine": "join data directories into one",
        "split": "split a data directory by speaker or utterance, or into shards for jobs",
        "join": "merge what jobs made of the shards of a data directory",
        "align": "align words and phones of transcribed speech in time",
        "pack": "pack a data directory into one file to train from",
    },
    "train": {
        "train": "train a model from a preset and a data directory",
        "adapt": "adapt a model to one more speaker from a minute of recordings",
        "train-units": "train a unit model: masked prediction of clusters, as in HuBERT",
        "train-prior": "train a prior over a model's codes",
    },
    "evaluate": {
        "evaluate": "measure units against phonemes, and converted speech against its target",
        "results": "gather every number of an experiment on one page",
    },
}


#: What torch says, in a RuntimeError, of memory that there is not: of the processor, and of a GPU.
_OUT_OF_MEMORY = re.compile(r"tried to allocate \d+ bytes|CUDA out of memory[^.]*", re.IGNORECASE)


def _path(text: str) -> Path:
    """A path; ``Path("")`` would be the current folder, which nobody means by an empty variable of the shell."""
    if not text:
        raise argparse.ArgumentTypeError("an empty path (write . for this folder)")
    return Path(text)


class _CommandParser(argparse.ArgumentParser):
    """A command's parser, whose errors are bad input like any other: one line, without the usage."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.register("type", Path, _path)

    def error(self, message: str) -> NoReturn:
        """Complain of the words of the command line."""
        raise InputError(message, hint=f"{self.prog} --help")


def command_module(command: str) -> ModuleType:
    """The file of a command."""
    return importlib.import_module(f"vqspeech.cli.{command.replace('-', '_')}")


def command_parser(command: str) -> argparse.ArgumentParser:
    """The parser of a command's options."""
    module = command_module(command)
    parser = _CommandParser(
        prog=f"vqspeech {command}",
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    return parser


def _parsed(parser: argparse.ArgumentParser, words: list[str]) -> argparse.Namespace:
    try:
        # Lets positional words stand after options too: train PRESET --out exp/x training.steps=100
        return parser.parse_intermixed_args(words)
    except TypeError:  # what argparse says to a command that has sub-commands
        return parser.parse_args(words)


def _parser() -> argparse.ArgumentParser:
    width = max(len(name) for group in COMMANDS.values() for name in group)
    listing = "\n\n".join(
        f"{title}:\n" + "\n".join(f"  {name:<{width}}  {purpose}" for name, purpose in group.items())
        for title, group in COMMANDS.items()
    )
    parser = argparse.ArgumentParser(
        prog="vqspeech",
        description="Discrete units of speech and voice conversion without labels (VQ-VAE with a WaveNet decoder).",
        epilog=f"{listing}\n\n'vqspeech COMMAND --help' explains a command.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="vqspeech COMMAND [options]",
    )
    parser.add_argument("--version", action="version", version=f"vqspeech {__version__}")
    parser.add_argument("command", metavar="COMMAND", help=argparse.SUPPRESS)
    return parser


def _show_warning(
    command: str,
    otherwise: Callable[..., None],
    message: Warning | str,
    category: type[Warning],
    filename: str,
    line_number: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print a warning about an old name as one line; all others as Python does."""
    if issubclass(category, RenamedWarning):
        print(f"vqspeech {command}: warning: {message}", file=sys.stderr)
    else:
        otherwise(message, category, filename, line_number, file, line)


class _OneLine(logging.Formatter):
    """Messages of the log as one printable line each."""

    def format(self, record: logging.LogRecord) -> str:
        """The message."""
        return one_line(record.getMessage())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status (0, 2 for bad input, 130 when interrupted, 1 otherwise)."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = _parser()
    if not words:
        parser.print_help()
        return 2
    command = parser.parse_args(words[:1]).command
    purposes = {name: purpose for group in COMMANDS.values() for name, purpose in group.items()}
    if command not in purposes:
        parser.error(f"no command {command!r} (vqspeech --help lists them)")
    if logging.lastResort is not None:  # what shows warnings: no name of a file may write lines or obey the terminal
        logging.lastResort.setFormatter(_OneLine())
    for stream in (sys.stdout, sys.stderr):
        # What a terminal's encoding does not have (names of files, in an ASCII locale) is shown escaped.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        parser = command_parser(command)  # imports much: Ctrl-C may come here, too
        with warnings.catch_warnings():
            warnings.showwarning = partial(_show_warning, command, warnings.showwarning)
            options = _parsed(parser, words[1:])
            with pipes.allowed(getattr(options, "allow_pipes", False)):
                status: int | None = command_module(command).run(options)
        return status or 0
    except InputError as error:
        print(f"vqspeech {command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"vqspeech {command}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output (head, less) has gone; Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except BrokenExecutor:
        print(f"vqspeech {command}: a worker process was killed (out of memory? try --jobs 1)", file=sys.stderr)
        return 1
    except (MemoryError, RecursionError) as error:
        print(f"vqspeech {command}: too big for the memory: {str(error) or type(error).__name__}", file=sys.stderr)
        return 1
    except RuntimeError as error:
        if not (found := _OUT_OF_MEMORY.search(str(error))):
            raise
        print(f"vqspeech {command}: too big for the memory: {found[0]}", file=sys.stderr)
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"vqspeech {command}: {where}{error.strerror or error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
