"""Convert discrete units between formats: codes.txt, DiscoPhon, ESPnet, fairseq, slamkit, memory-mapped .npy.

vqspeech convert-units exp/codes.txt units.jsonl --to discophon
vqspeech convert-units exp/codes units.km --to fairseq          what vqspeech join made of binary shards
vqspeech convert-units train.km codes.txt --manifest train.tsv --frame-period 0.02 --codebook-size 500
"""

from __future__ import annotations

import argparse
from pathlib import Path

from vqspeech.cli.evaluate.inputs import add_foreign
from vqspeech.counts import counted
from vqspeech.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    from vqspeech.codes import FORMATS

    parser.add_argument(
        "input",
        metavar="IN",
        help="codes.txt, .km, .jsonl, .npy with its index, a folder of .npy or of vqspeech join, or lines of text",
    )
    parser.add_argument("output", type=Path, metavar="OUT", help="file to write")
    parser.add_argument(
        "--to",
        choices=tuple(FORMATS),
        help="format of OUT, by its suffix where that says it; "
        + "; ".join(f"{name}: {form.about}" for name, form in FORMATS.items()),
    )
    add_foreign(parser)


def run(options: argparse.Namespace) -> None:
    """Read, check and write."""
    from vqspeech import codes

    form = options.to or codes.format_of(options.output)
    if options.output.exists() and options.output.samefile(options.input):
        raise InputError("would be written over", where=options.input, hint="name another OUT")
    read = codes.read_units(
        options.input,
        frame_period=options.frame_period,
        offset=options.offset,
        codebook_size=options.codebook_size,
        manifest=options.manifest,
    )
    codes.write_units(options.output, read, form)
    frames = sum(sequence.size for sequence in read.sequences.values())
    print(
        f"{options.output}: {counted(len(read.sequences), 'utterance')}, {counted(frames, 'unit')} "
        f"of {read.info.codebook_size} at {1 / read.info.frame_period:g} Hz"
    )
