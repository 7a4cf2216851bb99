r"""Train a unit model: masked prediction of clusters, after which the encoder's vectors are clustered.

The first model predicts clusters of normalised cepstra, a later one (--targets) the units of an earlier one:

vqspeech train-units units-50hz --data data/train --dev data/dev --out exp/units1
vqspeech train-units units-50hz --data data/train --dev data/dev --targets exp/units1 --from exp/units1 --out exp/units2

The experiment's folder holds config.yaml, train.log, targets.safetensors, TensorBoard's curves and checkpoints/
(last.pt to go on from, and best/, a model directory for encode and whatever else takes one, without voices). Stopped at
any moment, the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from vqspeech.cli.common.model import model_path
from vqspeech.cli.common.pipes import add_allow_pipes
from vqspeech.cli.common.training import add_training
from vqspeech.files import require_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "preset", metavar="PRESET", help="a YAML file, or the name of a unit model's preset of the package"
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="to train on: data directory or pack")
    parser.add_argument("--dev", type=Path, required=True, metavar="DIR", help="to validate on: data directory or pack")
    parser.add_argument("--out", type=Path, required=True, metavar="EXP", help="folder of the experiment")
    parser.add_argument(
        "--targets",
        type=model_path,
        metavar="MODEL",
        help="predict the units of this model, of whole utterances, made once; default: clusters of cepstra",
    )
    parser.add_argument(
        "--from",
        dest="initialise_from",
        type=model_path,
        metavar="MODEL",
        help="begin with the encoder of this unit model, and of an experiment with the blocks behind it; it may have "
        "fewer blocks or more, and fewer channels",
    )
    add_training(parser)
    add_allow_pipes(parser)


def run(options: argparse.Namespace) -> None:
    """Train to the end and say where the model lies."""
    import torch

    from vqspeech.cli.common.progress import bar
    from vqspeech.devices import Devices
    from vqspeech.training import precision
    from vqspeech.training.pack_cache import cached_pack, in_the_first_process
    from vqspeech.training.trainer import Trainer
    from vqspeech.training.units.config import UnitsPreset, read_units_preset
    from vqspeech.training.units.targets import cepstral_targets
    from vqspeech.training.units.task import UnitsTask
    from vqspeech.training.units.teacher import Teacher
    from vqspeech.training.units.trained_layers import TrainedLayers

    require_folder(options.out)
    if options.threads:
        torch.set_num_threads(options.threads)
    preset = read_units_preset(options.preset, options.changes)
    devices = Devices.find(options.device, preset.training.precision)
    audio = preset.model.audio
    train = cached_pack(options.data, options.out / "train.pack", audio)
    dev = cached_pack(options.dev, options.out / "dev.pack", audio)
    teacher = None if options.targets is None else Teacher(options.targets, preset)
    begin = None if options.initialise_from is None else TrainedLayers.read(options.initialise_from)
    cache, packs = options.out / "targets.safetensors", {"train": train, "dev": dev}
    labelling, gathering = bar("targets", "utterance"), bar("clusters", "vector")
    if teacher is None:
        make_targets = partial(cepstral_targets, cache, packs, preset, labelling)
    else:
        make_targets = partial(teacher.targets, cache, packs, devices.device, labelling, gathering)
    in_the_first_process(make_targets, options.data)
    found = make_targets()
    targets = found["train"], found["dev"]
    clusters = None if teacher is None else teacher.units

    def make(preset: UnitsPreset) -> UnitsTask:
        return UnitsTask(
            preset, train, dev, targets=targets, clusters=clusters, initialise_from=begin, rank=devices.rank
        )

    task, devices = precision.build(preset, make, options.out, devices)
    best = Trainer(task, options.out, devices).run(ends_process=True)
    if devices.leads:
        said = best.summary(lambda found: f"{found.accuracy:.1%} of masked clusters, {found.masked:.3f} nats")
        print(f"{options.out}/checkpoints/best: {said}")
