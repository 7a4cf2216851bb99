"""Join Kaldi data directories into one.

An optional table (text, utt2dur, spk2gender) is written when every utterance or speaker has an entry; phones.ctm is
joined too. The same id for different things is an error.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from vqspeech.cli.common.tables import print_parts, warn_incomplete
from vqspeech.datadir import DataDir, combine, copy_phones
from vqspeech.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument("dest", type=Path, metavar="DEST", help="the data directory to write")
    parser.add_argument("sources", nargs="+", type=Path, metavar="SOURCE", help="the data directories to join")


def run(options: argparse.Namespace) -> None:
    """Read all, then write."""
    if options.dest.resolve() in [source.resolve() for source in options.sources]:
        raise InputError("is a source and the destination", where=options.dest, hint="write to another folder")
    data = combine([DataDir.read(source) for source in options.sources])
    data.write(options.dest)
    copy_phones(options.sources, options.dest, data)
    warn_incomplete(data, options.dest)
    print_parts({str(options.dest): data})
