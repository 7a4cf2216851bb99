"""Train a prior of masked convolutions over codes in raster order; the same command goes on where it was stopped.

    train_masked.py PRESET.yaml CODES EXP [--device cpu] [KEY=VALUE ...]

CODES is a folder as encode.py writes it.
"""

from __future__ import annotations

import argparse

from code_files import read_code_data, read_grid
from command import main, training_arguments
from masked_prior import MaskedPreset, MaskedPriorTask

from vqspeech.devices import Devices
from vqspeech.training import precision
from vqspeech.training.preset_file import read_preset_file
from vqspeech.training.trainer import Trainer


def run(options: argparse.Namespace) -> None:
    """Train to the last step."""
    preset = read_preset_file(options.preset, MaskedPreset, options.changes)
    devices = Devices.find(options.device, preset.training.precision)
    parts = read_code_data(options.codes)
    grid = read_grid(options.codes)

    def make(preset: MaskedPreset) -> MaskedPriorTask:
        return MaskedPriorTask(preset, parts["train"], parts["dev"], grid, devices.rank)

    task, devices = precision.build(preset, make, options.out, devices)
    best = Trainer(task, options.out, devices).run()
    said = best.summary(lambda found: f"{found.bits:.3f} bits per code on dev")
    print(f"{options.out}: {said}")


if __name__ == "__main__":
    main(training_arguments(__doc__, "codes"), run)
