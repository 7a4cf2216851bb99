"""How the scripts of the images and video recipes end: bad input is one line and status 2, as with vqspeech."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from vqspeech.errors import InputError


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
