"""How the scripts of the images and video recipes begin and end.

They take paths and options; bad input is one line and status 2, as with vqspeech.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from vqspeech.errors import InputError


def arguments(description: str | None, *paths: str) -> argparse.ArgumentParser:
    """A parser that takes so many paths."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in paths:
        parser.add_argument(name, type=Path)
    return parser


def training_arguments(description: str | None, data: str) -> argparse.ArgumentParser:
    """A parser of what training takes: a preset, data, the folder of the run, a device and changes to the preset."""
    parser = arguments(description, "preset", data, "out")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("changes", nargs="*", metavar="KEY=VALUE")
    return parser


def main(parser: argparse.ArgumentParser, run: Callable[[argparse.Namespace], None]) -> None:
    """Parse the options, run, and leave with a status."""
    options = parser.parse_intermixed_args()  # positional words may stand after options, too
    name = Path(sys.argv[0]).name
    try:
        run(options)
    except InputError as error:
        print(f"{name}: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        sys.exit(130)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"{name}: {where}{error.strerror or error}", file=sys.stderr)
        sys.exit(2)
