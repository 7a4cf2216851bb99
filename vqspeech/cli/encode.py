"""Turn recordings into codes: codes.txt, one line per utterance, and codes.json with rate and codebook size.

vqspeech encode a.wav                             prints the line
vqspeech encode data/test --out exp/codes.txt     a data directory; killed, it goes on where it stopped
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vqspeech.cli.common.model import add_model, load
from vqspeech.cli.common.pipes import add_allow_pipes
from vqspeech.cli.common.sources import Source, require_unique, sources
from vqspeech.cli.common.synthesis import Faults
from vqspeech.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("src", nargs="+", metavar="SRC", help="files, folders, data directories, or - for stdin")
    parser.add_argument("--out", type=Path, metavar="CODES.txt", help="archive to write; default: print the lines")
    add_model(parser)
    add_allow_pipes(parser)


def run(options: argparse.Namespace) -> int:
    """Encode everything; 2 if a recording could not be used."""
    from vqspeech import codes
    from vqspeech.cli.common.progress import bar

    found = sources(options.src)
    require_unique(found)
    model = load(options)
    faults = Faults("encode", alone=len(found) == 1)

    def encoded(source: Source) -> NDArray[np.int32]:
        if source.name.split() != [source.name]:
            raise InputError("a name with white space cannot be an id", where=source.recording, hint="rename it")
        return model.encode_waveform(model.read(source.recording, start=source.start, end=source.end))

    if options.out is None:
        for source in found:
            with faults.caught():
                print(codes.format_line(source.name, encoded(source)), flush=True)
        return faults.status
    draw = bar("encoding", "utterance")
    with codes.Writer(options.out, model.code_info, map(_identity, found)) as writer:
        if writer.discarded:
            print(f"{options.out}.partial: of other recordings or another model, begun again", file=sys.stderr)
        for done, source in enumerate(found, 1):
            if source.name not in writer.done:
                with faults.caught():
                    writer.append(source.name, encoded(source))
            draw(done, len(found))
        print(f"{options.out}: {len(writer.done)} utterances")
    return faults.status


def _identity(source: Source) -> tuple[object, ...]:
    """What makes a recording another one: where it is, and which part of it; not when it was written."""
    path = Path(source.recording)
    size = path.stat().st_size if path.is_file() else None
    return source.name, source.recording, size, source.start, source.end
