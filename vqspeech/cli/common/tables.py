"""What the data commands print in the end: one line per part, and what could not be written of it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from vqspeech.counts import counted
from vqspeech.datadir import DataDir


def print_parts(parts: Mapping[str, DataDir]) -> None:
    """Speakers, utterances and hours of each part."""
    width = max(map(len, ("part", *parts)))
    print(f"{'part':<{width}}  speakers  utterances  hours")
    for name, data in parts.items():
        hours = "?" if data.hours is None else f"{data.hours:.2f}"
        print(f"{name:<{width}}  {len(data.speakers):>8}  {len(data):>10}  {hours:>5}")


def warn_incomplete(data: DataDir, path: Path) -> None:
    """Say which optional tables were left out because some, not all, of their entries are known."""
    for table, known in (
        ("text", [u.text is not None for u in data]),
        ("utt2dur", [u.duration is not None or u.end is not None for u in data]),
        ("spk2gender", [any(u.gender for u in group) for group in data.by_speaker().values()]),
    ):
        if any(known) and not all(known):
            missing = f"{known.count(False)} of {counted(len(known), 'entry', 'entries')} not known"
            print(f"{path}: no {table} written, {missing} and Kaldi takes it whole or not at all", file=sys.stderr)
