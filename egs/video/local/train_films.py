"""Train a prior over films; the same command goes on where it was stopped.

    train_films.py PRESET.yaml CODES EXP [--device cpu] [KEY=VALUE ...]

CODES is a folder as encode_films.py writes it.
"""

from __future__ import annotations

import argparse

import numpy as np
from command import main, training_arguments
from film_network import FilmPreset
from masked_prior import MaskedPriorTask

from vqspeech import codes
from vqspeech.devices import Devices
from vqspeech.training import precision
from vqspeech.training.preset_file import read_preset_file
from vqspeech.training.prior.dataset import CodeData
from vqspeech.training.trainer import Trainer


def run(options: argparse.Namespace) -> None:
    """Train to the last step."""
    preset = read_preset_file(options.preset, FilmPreset, options.changes)
    devices = Devices.find(options.device, preset.training.precision)
    parts = {}
    for part in ("train", "dev"):
        held = codes.read(options.codes / f"{part}.txt")
        info = held.info
        parts[part] = CodeData.collect(held.sequences, None, codes=info.codebook_size, made_by=info.checksum)
    with np.load(options.codes / "dev.npz") as films:
        rows, columns = films["codes"].shape[2:]

    def make(preset: FilmPreset) -> MaskedPriorTask:
        return MaskedPriorTask(preset, parts["train"], parts["dev"], (rows, columns), devices.rank)

    task, devices = precision.build(preset, make, options.out, devices)
    best = Trainer(task, options.out, devices).run()
    said = best.summary(lambda found: f"{found.bits:.3f} bits per symbol on dev")
    print(f"{options.out}: {said}")


if __name__ == "__main__":
    main(training_arguments(__doc__, "codes"), run)
