"""List the speakers of a model, one a line."""

from __future__ import annotations

import argparse

from vqspeech.cli.common.model import add_model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_model(parser)


def run(options: argparse.Namespace) -> None:
    """Print them."""
    from vqspeech.model.checkpoint import PRETRAINED, read_speakers

    for speaker in read_speakers(options.model or PRETRAINED):
        print(speaker)
