"""Train a VQ-VAE of images by the package's trainer; stopped at any moment, the same command goes on.

train.py PRESET.yaml SET.npz EXP [--device cpu] [KEY=VALUE ...]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from command import main
from image_task import ImagePreset, ImageTask
from pictures import read_set

from vqspeech.devices import Devices
from vqspeech.training.preset_file import read_preset_file
from vqspeech.training.trainer import Trainer


def arguments() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("changes", nargs="*", metavar="KEY=VALUE")
    return parser


def run(options: argparse.Namespace) -> None:
    """Train to the last step."""
    preset = read_preset_file(options.preset, ImagePreset, options.changes)
    devices = Devices.find(options.device, preset.training.precision)
    result = Trainer(ImageTask(preset, read_set(options.images), devices.rank), options.out, devices).run()
    print(f"{options.out}: {result.error:.4f} of the variance, {result.used} codes used on dev")


if __name__ == "__main__":
    main(arguments(), run)
