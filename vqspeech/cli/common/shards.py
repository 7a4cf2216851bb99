"""``vqspeech encode --shards``: which shards this job makes, and what it says of them."""

from __future__ import annotations

import argparse
import os
import sys

from vqspeech import ranges
from vqspeech.cli.common.model import load
from vqspeech.counts import counted
from vqspeech.errors import InputError


def add_shards(parser: argparse.ArgumentParser, *, purpose: str) -> None:
    """Declare ``--shards``, which is for ``purpose``, and ``--shard``."""
    parser.add_argument("--shards", nargs="?", type=ranges.SHARDS, const=0, metavar="N", help=purpose)
    parser.add_argument(
        "--shard", type=ranges.SHARDS, metavar="I", help="which, 1 to N; default: the array's, or all in turn"
    )


def encode_shards(options: argparse.Namespace) -> int:
    """Make the shards that are this job's; 2 if a recording could not be used."""
    shard, shards = place(options)
    if options.out is None or options.out.is_file():
        raise InputError("shards need a folder to lie in", where="--out", hint="give --out DIR")
    if len(options.src) != 1:
        raise InputError(f"{len(options.src)} sources", hint="give one data directory, folder or manifest")
    for option in ("pitch", "duration_penalty"):
        if getattr(options, option):
            name = f"--{option.replace('_', '-')}"
            raise InputError(f"{name} with --shards", hint="it goes with an archive of text, --out CODES.txt")
    if options.format != "codes":
        raise InputError("--format with --shards", hint="vqspeech join --text, then convert the text")
    import torch

    from vqspeech.cli.common.progress import bar
    from vqspeech.encoding import encode_shard, open_rows

    rows = open_rows(options.src[0], options.out)
    model = load(options)
    torch.set_num_threads(1)  # the products are small: shards side by side use more cores better
    status = 0
    for number in [shard] if shard else range(1, shards + 1):
        draw = bar(f"shard {number}", "utterance")
        outcome = encode_shard(model, rows, options.out, shard=number, shards=shards, progress=draw, say=_say)
        said = "there already" if outcome.skipped else f"{counted(outcome.utterances, 'utterance')}"
        print(f"{options.out / outcome.name}: {said}", flush=True)
        if outcome.failed:
            where = options.out / f"{outcome.name}.failed"
            print(
                f"vqspeech encode: {counted(outcome.failed, 'recording')} could not be used, see {where}",
                file=sys.stderr,
            )
            status = 2
    return status


def _say(line: str) -> None:
    print(f"vqspeech encode: {line}", file=sys.stderr)


def place(options: argparse.Namespace) -> tuple[int | None, int]:
    """Which shard, from 1 (None for all in turn), and of how many.

    Raises:
        InputError: nobody says of how many, or there is no such shard.
    """
    from vqspeech.encoding import place_of_this_job

    shard: int | None = options.shard
    shards: int = options.shards or 0
    if not shards or shard is None:
        job = place_of_this_job(os.environ)
        if not shards and job is None:
            raise InputError("of how many shards?", hint="give --shards N: no job array, srun or torchrun says it")
        if job is not None:
            # An array of another size than --shards: its jobs cannot each make one of them.
            if shard is None and shards not in (0, job[1]):
                raise InputError(
                    f"--shards {shards}, but the job array has {job[1]}", hint="leave N out, or give --shard I, too"
                )
            shard, shards = shard or job[0], shards or job[1]
    if shard is not None and shard > shards:
        raise InputError(f"--shard {shard} of {shards}", hint=f"give 1 to {shards}")
    return shard, shards
