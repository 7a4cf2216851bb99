# ruff: noqa: N999
"""Continue a recording: the prior draws codes after its codes, and the model decodes both, in any of its voices.

vqspeech continue --src a.wav --seconds 3 --speaker p239 --out b.wav
"""

from __future__ import annotations

import argparse
from pathlib import Path

from vqspeech import ranges
from vqspeech.cli.common.pipes import add_allow_pipes
from vqspeech.cli.common.prior import Delivery, add_drawing, check_voice, drawing, frames, load_prior


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--src", required=True, metavar="FILE", help="recording, or - for stdin")
    parser.add_argument("--seconds", type=ranges.SECONDS, default=3.0, metavar="S", help="that are added; default: 3")
    add_drawing(parser)
    add_allow_pipes(parser)


def run(options: argparse.Namespace) -> None:
    """Encode, continue, synthesise."""
    import numpy as np

    from vqspeech.cli.common.model import load
    from vqspeech.generation.code_sampling import sample_codes

    model = load(options)
    check_voice(options, model)
    name = "stdin" if options.src == "-" else Path(options.src).stem
    delivery = Delivery(options, f"{name}-continued")
    prior = load_prior(options, model.code_info.checksum)
    length = frames(options.seconds, model)
    prompt = model.encode(options.src)
    drawn = sample_codes(
        prior,
        length=length,
        prompt=prompt,
        **drawing(options),
    )
    delivery.write(model, [np.concatenate([prompt, codes]) for codes in drawn])
