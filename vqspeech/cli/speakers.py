"""List the speakers of a model, one per line."""

from __future__ import annotations

import argparse
import sys

from vqspeech.cli.common.model import add_model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_model(parser)


def run(options: argparse.Namespace) -> None:
    """Print them."""
    from vqspeech.model.checkpoint import read_speakers
    from vqspeech.model.packaged import PRETRAINED

    folder = options.model or PRETRAINED
    speakers = read_speakers(folder)
    if not speakers:
        print(f"{folder}: no voices, units only", file=sys.stderr)
    for speaker in speakers:
        print(speaker)
