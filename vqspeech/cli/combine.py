"""Join Kaldi data directories into one.

An optional table (text, utt2dur, spk2gender) is written when every utterance or speaker has an entry; phones.ctm is
joined too. The same id for different things is an error.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from vqspeech.cli.common.tables import print_parts, warn_incomplete
from vqspeech.counts import counted
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
    _require_nothing_lost(options.dest, data)
    data.write(options.dest)
    copy_phones(options.sources, options.dest, data)
    warn_incomplete(data, options.dest)
    print_parts({str(options.dest): data})


def _require_nothing_lost(dest: Path, data: DataDir) -> None:
    """Refuse to write over a data directory of other utterances: a first source, where DEST was forgotten.

    Raises:
        InputError: DEST has utterances that no source has.
    """
    if not (dest / "wav.scp").is_file():
        return
    kept = {utterance.id for utterance in data}
    lost = [utterance.id for utterance in DataDir.read(dest) if utterance.id not in kept]
    if lost:
        raise InputError(
            f"has {counted(len(lost), 'utterance')} that no source has, such as {lost[0]}",
            where=dest,
            hint="DEST comes first: name a new folder, or remove this one",
        )
