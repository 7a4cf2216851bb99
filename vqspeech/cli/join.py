"""Merge what jobs made of the shards of a data directory, as if one job had made it.

    vqspeech split data/train data/train/split4 --into 4
    vqspeech align data/train/split4/1 ... 4            side by side, on one machine or many
    vqspeech join data/train/split4 data/train phones.ctm words.ctm --optional align.failed

Any table will do whose lines begin with an utterance id: phones.ctm, codes.txt (with its codes.json).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from vqspeech.datadir import merge_shards


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument("split", type=Path, metavar="SPLIT", help="the folder with the shards 1 to N")
    parser.add_argument("dest", type=Path, metavar="DEST", help="the folder to write the joined tables in")
    parser.add_argument("names", nargs="*", metavar="NAME", help="tables that each shard has")
    parser.add_argument("--optional", nargs="+", default=[], metavar="NAME", help="tables that shards may lack")


def run(options: argparse.Namespace) -> None:
    """Join each table and say how many utterances it has."""
    for names, optional in ((options.names, False), (options.optional, True)):
        for name in names:
            count = merge_shards(options.split, options.dest, name, optional=optional)
            print(f"{options.dest / name}: {count} utterances" if count else f"{name}: no shard has any")
