"""Generate speech: codes drawn from the prior, decoded in a voice of the model.

vqspeech sample --seconds 5 --speaker p239 --seed 3 --out s.wav
vqspeech sample --seconds 5 --speaker p239 --count 16 --out samples/     all in one batch
vqspeech sample --count 100 --codes-out codes.txt                        codes only, unconditional
"""

from __future__ import annotations

import argparse

from vqspeech import ranges
from vqspeech.cli.common.prior import Delivery, add_drawing, check_voice, drawing, frames, load_prior


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--seconds", type=ranges.SECONDS, default=5.0, metavar="S", help="of each sample; default: 5")
    add_drawing(parser)


def run(options: argparse.Namespace) -> None:
    """Draw codes and synthesise them."""
    from vqspeech.cli.common.model import load
    from vqspeech.generation.code_sampling import sample_codes

    model = load(options)
    check_voice(options, model)
    delivery = Delivery(options, f"sample-{options.seed}")
    prior = load_prior(options, model.code_info.checksum)
    drawn = sample_codes(
        prior,
        length=frames(options.seconds, model),
        **drawing(options),
    )
    delivery.write(model, list(drawn))
