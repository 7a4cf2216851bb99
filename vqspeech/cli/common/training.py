"""What the commands that train have in common: where they compute, and changes to the preset."""

from __future__ import annotations

import argparse

from vqspeech import ranges


def add_training(parser: argparse.ArgumentParser) -> None:
    """Declare ``--device``, ``--threads`` and the changes."""
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N; default: auto")
    parser.add_argument("--threads", type=ranges.WORKERS, metavar="N", help="CPU threads; default: all cores")
    parser.add_argument(
        "changes", nargs="*", metavar="KEY=VALUE", help="changes to the preset, such as training.steps=1000"
    )
