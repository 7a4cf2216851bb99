"""Split a Kaldi data directory by speaker or by utterance, or into shards for jobs that run side by side.

    vqspeech split data/all data --by utterance --parts train=0.9 dev=0.05 test=0.05

writes data/train, data/dev and data/test. Where a speaker or an utterance goes depends on its id and the seed alone:
what is added later moves nothing that was there before.

    vqspeech split data/train data/train/split4 --into 4

writes data/train/split4/1 to data/train/split4/4, shards of consecutive utterances, of nearly equal number. What the
jobs make of them, vqspeech join joins again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from vqspeech import ranges
from vqspeech.cli.common.tables import print_parts
from vqspeech.datadir import DataDir, copy_phones, shards, split
from vqspeech.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument("source", type=Path, metavar="SOURCE", help="a data directory")
    parser.add_argument("dest", type=Path, metavar="DEST", help="the folder in which each part becomes a directory")
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--by", choices=("speaker", "utterance"), help="what is never divided between parts")
    how.add_argument("--into", type=ranges.COUNT, metavar="N", help="cut into N shards, named 1 to N")
    parser.add_argument(
        "--parts",
        nargs="+",
        default=["train=0.9", "dev=0.05", "test=0.05"],
        metavar="NAME=SHARE",
        help="the parts and their shares, which add up to 1; default: train=0.9 dev=0.05 test=0.05",
    )
    parser.add_argument(
        "--at-least",
        type=ranges.COUNT_OR_NONE,
        default=0,
        metavar="N",
        help="by utterance: N utterances of each speaker in every part, where the speaker has enough; default: 0",
    )
    parser.add_argument("--seed", type=ranges.SEED, default=0, help="another seed makes another split; default: 0")


def run(options: argparse.Namespace) -> None:
    """Split, write each part that is not empty."""
    data = DataDir.read(options.source)
    if options.into is None:
        shares = dict(_share(word) for word in options.parts)
        parts = split(data, by=options.by, parts=shares, seed=options.seed, at_least=options.at_least)
        parts = {name: part for name, part in parts.items() if len(part)}
    else:
        parts = {str(number): shard for number, shard in enumerate(shards(data, options.into), 1)}
    for name in parts:
        if (options.dest / name).resolve() == options.source.resolve():
            where = options.dest / name
            raise InputError("is the source and a part of it", where=where, hint="write to another folder")
    for name, part in parts.items():
        part.write(options.dest / name)
        copy_phones([options.source], options.dest / name, part)
    print_parts(parts)


def _share(word: str) -> tuple[str, float]:
    name, _, share = word.partition("=")
    try:
        if not name or "/" in name:
            raise ValueError
        return name, float(share)
    except ValueError:
        raise InputError(f"cannot read the part {word!r}", where="--parts", hint="give NAME=SHARE, dev=0.05") from None
