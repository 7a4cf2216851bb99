"""Train a VQ-VAE of images by the package's trainer; stopped at any moment, the same command goes on.

train.py PRESET.yaml SET.npz EXP [--device cpu] [KEY=VALUE ...]
"""

from __future__ import annotations

import argparse

from command import main, training_arguments
from image_task import ImagePreset, ImageTask
from pictures import read_set

from vqspeech.devices import Devices
from vqspeech.training import precision
from vqspeech.training.preset_file import read_preset_file
from vqspeech.training.trainer import Trainer


def run(options: argparse.Namespace) -> None:
    """Train to the last step."""
    preset = read_preset_file(options.preset, ImagePreset, options.changes)
    devices = Devices.find(options.device, preset.training.precision)
    pictures = read_set(options.images)

    def make(preset: ImagePreset) -> ImageTask:
        return ImageTask(preset, pictures, devices.rank)

    task, devices = precision.build(preset, make, options.out, devices)
    best = Trainer(task, options.out, devices).run()
    said = best.summary(lambda found: f"{found.error:.4f} of the variance, {found.used} codes used on dev")
    print(f"{options.out}: {said}")


if __name__ == "__main__":
    main(training_arguments(__doc__, "images"), run)
