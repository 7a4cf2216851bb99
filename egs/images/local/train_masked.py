"""Train a prior of masked convolutions over codes in raster order; the same command goes on where it was stopped.

    train_masked.py PRESET.yaml CODES EXP [--device cpu] [KEY=VALUE ...]

CODES is a folder as encode.py writes it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from code_files import read_code_data, read_grid
from command import main
from masked_prior import MaskedPreset, MaskedPriorTask

from vqspeech.devices import Devices
from vqspeech.training.preset_file import read_preset_file
from vqspeech.training.trainer import Trainer


def arguments() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset", type=Path)
    parser.add_argument("codes", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("changes", nargs="*", metavar="KEY=VALUE")
    return parser


def run(options: argparse.Namespace) -> None:
    """Train to the last step."""
    preset = read_preset_file(options.preset, MaskedPreset, options.changes)
    devices = Devices.find(options.device, preset.training.precision)
    parts = read_code_data(options.codes)
    task = MaskedPriorTask(preset, parts["train"], parts["dev"], read_grid(options.codes), devices.rank)
    result = Trainer(task, options.out, devices).run()
    print(f"{options.out}: {result.bits:.3f} bits per code on dev at the last step")


if __name__ == "__main__":
    main(arguments(), run)
