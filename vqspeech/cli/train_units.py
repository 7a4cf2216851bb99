r"""Train a unit model: masked prediction of clusters, after which the encoder's vectors are clustered.

The first model predicts clusters of normalised cepstra, a later one (--targets) the units of an earlier one:

vqspeech train-units units-50hz --data data/train --dev data/dev --out exp/units1
vqspeech train-units units-50hz --data data/train --dev data/dev --targets exp/units1 --out exp/units2

The experiment's folder holds config.yaml, train.log, targets.safetensors, TensorBoard's curves and checkpoints/
(last.pt to go on from, and best/, a model directory for encode and whatever else takes one, without voices). Stopped at
any moment, the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from vqspeech import ranges
from vqspeech.cli.common.model import model_path
from vqspeech.cli.common.pipes import add_allow_pipes
from vqspeech.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vqspeech.training.units.config import UnitsPreset
    from vqspeech.training.units.targets import Teacher


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "preset", metavar="PRESET", help="a YAML file, or the name of a unit model's preset of the package"
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="to train on: data directory or pack")
    parser.add_argument("--dev", type=Path, required=True, metavar="DIR", help="to watch: data directory or pack")
    parser.add_argument("--out", type=Path, required=True, metavar="EXP", help="folder of the experiment")
    parser.add_argument(
        "--targets",
        type=model_path,
        metavar="MODEL",
        help="predict the units of this model; default: clusters of cepstra",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N; default: auto")
    parser.add_argument("--threads", type=ranges.WORKERS, metavar="N", help="CPU threads; default: all cores")
    parser.add_argument(
        "changes", nargs="*", metavar="KEY=VALUE", help="changes to the preset, such as training.steps=1000"
    )
    add_allow_pipes(parser)


def run(options: argparse.Namespace) -> None:
    """Train to the end and say where the model lies."""
    import torch

    from vqspeech.cli.common.progress import bar
    from vqspeech.devices import Devices
    from vqspeech.training.pack_cache import cached_pack
    from vqspeech.training.trainer import Trainer
    from vqspeech.training.units.config import read_units_preset
    from vqspeech.training.units.targets import cached_targets
    from vqspeech.training.units.task import UnitsTask

    if options.threads:
        torch.set_num_threads(options.threads)
    preset = read_units_preset(options.preset, options.changes)
    devices = Devices.find(options.device, preset.training.precision)
    audio = preset.model.audio
    train = cached_pack(options.data, options.out / "train.pack", audio)
    dev = cached_pack(options.dev, options.out / "dev.pack", audio)
    teacher = None if options.targets is None else _teacher(options.targets, preset)
    targets, clusters = cached_targets(
        options.out / "targets.safetensors", {"train": train, "dev": dev}, preset, teacher, bar("targets", "utterance")
    )
    task = UnitsTask(preset, train, targets["train"], dev, targets["dev"], clusters=clusters, rank=devices.rank)
    result = Trainer(task, options.out, devices).run()
    if devices.leads:
        print(f"{options.out}/checkpoints/best: {result.accuracy:.1%} of masked clusters, {result.masked:.3f} nats")


def _teacher(folder: Path, preset: UnitsPreset) -> Teacher:
    """An earlier model to give the targets; raises InputError if it has another rate."""
    import numpy as np

    import vqspeech
    from vqspeech.model.checkpoint import codes_checksum
    from vqspeech.training.units.targets import Teacher

    model = vqspeech.load(folder)
    theirs, ours = model.network.config, preset.model
    if (theirs.audio.sample_rate, theirs.code_hop) != (ours.audio.sample_rate, ours.code_hop):
        raise InputError(
            f"{theirs.code_rate:g} units per second, in the preset {ours.code_rate:g}",
            where=folder,
            hint="take targets of a model of the same rate",
        )
    if theirs.quantizer.codes > 32767:
        raise InputError(f"{theirs.quantizer.codes} units are too many to predict", where=folder, hint="take fewer")

    def label(waveform: NDArray[np.float32]) -> NDArray[np.int64]:
        return model.encode_waveform(waveform).astype(np.int64)

    return Teacher(label, theirs.quantizer.codes, codes_checksum(model.folder))
