"""List the models that come with the package: name, rate, codebook, size on disk, voices, what each is for.

Wherever a command takes --model, such a name will do: vqspeech encode a.wav --model units
"""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare no options."""


def run(_options: argparse.Namespace) -> None:
    """Print a table."""
    from vqspeech.cli.evaluate.output import table
    from vqspeech.model.checkpoint import read_speakers
    from vqspeech.model.config import ModelConfig
    from vqspeech.model.packaged import PURPOSES, packaged_models
    from vqspeech.model.stored import read_config

    rows = []
    for name, folder in packaged_models().items():
        config = read_config(folder / "config.yaml", ModelConfig)
        size = (folder / "model.safetensors").stat().st_size
        voices = len(read_speakers(folder))
        rows.append(
            [
                name,
                f"{config.code_rate:g} Hz",
                str(config.quantizer.codes),
                f"{size / 1e6:.1f} MB",
                str(voices or "none"),
                PURPOSES.get(name, "see its card"),
            ]
        )
    purposes = [row.pop() for row in rows]
    lines = table(["model", "rate", "codes", "size", "voices"], rows).splitlines()
    for line, purpose in zip(lines, ["for", *purposes], strict=True):
        print(f"{line}  {purpose}")
