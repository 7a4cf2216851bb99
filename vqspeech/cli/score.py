"""Compute the bits per code of recordings, or of given codes, under a prior.

vqspeech score a.wav b.wav
vqspeech score --codes dev/codes.txt --utt2spk data/dev/utt2spk --prior exp/prior --out scores.txt

One line per utterance: its id, its bits in all, its number of codes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vqspeech.cli.common.pipes import add_allow_pipes
from vqspeech.cli.common.prior import add_prior, add_utt2spk, load_prior, read_utt2spk
from vqspeech.counts import counted
from vqspeech.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("src", nargs="*", metavar="SRC", help="files, folders, data directories, or - for stdin")
    parser.add_argument("--codes", type=Path, metavar="CODES.txt", help="score these codes instead")
    add_utt2spk(parser)
    parser.add_argument("--out", type=Path, metavar="SCORES.txt", help="file to write; default: print the lines")
    add_prior(parser)
    add_allow_pipes(parser)


def run(options: argparse.Namespace) -> None:
    """Score, write and print the mean."""
    from vqspeech.files import atomic_open
    from vqspeech.model.prior.scoring import code_bits

    if bool(options.src) == bool(options.codes):
        raise InputError("what shall be scored?", hint="give recordings, or codes with --codes, not both")
    sequences, made_by = _given(options)
    prior = load_prior(options, made_by)
    highest = max((int(sequence.max()) for sequence in sequences.values() if len(sequence)), default=0)
    if highest >= prior.config.codes:
        raise InputError(
            f"has code {highest}, but the prior has {prior.config.codes}", where=options.codes, hint="name its prior"
        )
    speakers = read_utt2spk(options.utt2spk)
    index = {name: place for place, name in enumerate(prior.speakers)}
    who = [index.get(speakers.get(name, ""), prior.unconditional) for name in sequences]
    bits = code_bits(prior, list(sequences.values()), who)
    lines = [f"{name} {float(each.sum()):.3f} {len(each)}\n" for name, each in zip(sequences, bits, strict=True)]
    if options.out is None:
        sys.stdout.writelines(lines)
    else:
        with atomic_open(options.out) as file:
            file.writelines(lines)
    every = np.concatenate(bits)
    print(
        f"{every.mean() if len(every) else 0.0:.4f} bits per code; "
        f"{counted(len(every), 'code')} in {counted(len(bits), 'utterance')}",
        file=sys.stderr if options.out is None else sys.stdout,
    )


def _given(options: argparse.Namespace) -> tuple[dict[str, NDArray[np.int32]], str | None]:
    """The code sequences to score, and the checksum of the model that made them."""
    from vqspeech import codes

    if options.codes is not None:
        archive = codes.read(options.codes)
        return archive.sequences, archive.info.checksum
    from vqspeech.cli.common.model import load
    from vqspeech.cli.common.sources import require_unique, sources

    model = load(options)
    found = sources(options.src)
    require_unique(found)
    encoded = {s.name: model.encode_waveform(model.read(s.recording, start=s.start, end=s.end)) for s in found}
    return encoded, model.code_info.checksum
