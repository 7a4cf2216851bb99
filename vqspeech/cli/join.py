"""Merge what jobs made of the shards of a data directory, as if one job had made it.

    vqspeech split data/train data/train/split4 --into 4
    vqspeech align data/train/split4/1 ... 4            side by side, on one machine or many
    vqspeech join data/train/split4 data/train phones.ctm words.ctm --optional align.failed

Any table will do whose lines begin with an utterance id: phones.ctm, codes.txt (with its codes.json).

    vqspeech encode rows.jsonl --out exp/shards --shards 64 --shard 1 ... 64
    vqspeech join exp/shards exp/codes --text

makes one memory map, exp/codes/codes.npy with its index, the same to the byte whatever the number of shards was.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from vqspeech import ranges
from vqspeech.counts import counted
from vqspeech.datadir import merge_shards
from vqspeech.errors import InputError
from vqspeech.files import require_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument("split", type=Path, metavar="SPLIT", help="the folder with the shards")
    parser.add_argument("dest", type=Path, metavar="DEST", help="the folder to write the joined tables in")
    parser.add_argument("names", nargs="*", metavar="NAME", help="tables that each shard has")
    parser.add_argument(
        "--shards", type=ranges.SHARDS, metavar="N", help="of binary shards, where there are several sets"
    )
    parser.add_argument("--text", action="store_true", help="of binary shards: write codes.txt, too")
    parser.add_argument("--jsonl", action="store_true", help="of binary shards: write codes.jsonl, too")
    parser.add_argument("--optional", nargs="+", default=[], metavar="NAME", help="tables that shards may lack")


def run(options: argparse.Namespace) -> None:
    """Join each table and say how many utterances it has."""
    require_folder(options.dest)
    binary = not options.names and not options.optional
    if not binary and (options.shards or options.text or options.jsonl):
        raise InputError("--shards, --text and --jsonl are of binary shards", hint="give them without NAME")
    if binary:
        from vqspeech import codes

        if not options.split.is_dir():
            raise InputError("no such folder", where=options.split, hint="give the folder with the shards")
        joined = codes.join_shards(
            options.split, options.dest, shards=options.shards, text=options.text, jsonl=options.jsonl
        )
        print(f"{joined.path}: {counted(len(joined), 'utterance')}, {counted(len(joined.codes), 'code')}")
        return
    for names, optional in ((options.names, False), (options.optional, True)):
        for name in names:
            count = merge_shards(options.split, options.dest, name, optional=optional)
            print(f"{options.dest / name}: {counted(count, 'utterance')}" if count else f"{name}: no shard has any")
