"""The option of all commands that read recordings of a data directory."""

from __future__ import annotations

import argparse


def add_allow_pipes(parser: argparse._ActionsContainer) -> None:
    """Declare ``--allow-pipes``, which ``main`` heeds."""
    parser.add_argument(
        "--allow-pipes", action="store_true", help="run the commands that a data directory's wav.scp has for recordings"
    )
