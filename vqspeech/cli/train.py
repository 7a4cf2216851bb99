"""Train a model from a preset and a data directory (or a pack of one).

The experiment's folder holds config.yaml, train.log, TensorBoard's curves and checkpoints/ (last.pt to go on from, and
best/, a model directory for every other command). Stopped at any moment, the same command goes on where it stopped.
Several GPUs: torchrun --nproc-per-node N -m vqspeech train ...
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from vqspeech.cli.common.external import external_codes
from vqspeech.cli.common.model import model_path
from vqspeech.cli.common.pipes import add_allow_pipes
from vqspeech.cli.common.training import add_training
from vqspeech.cli.evaluate.inputs import add_foreign
from vqspeech.errors import InputError
from vqspeech.files import require_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("preset", metavar="PRESET", help="a YAML file, or the name of a preset of the package")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="to train on: data directory or pack")
    parser.add_argument("--dev", type=Path, required=True, metavar="DIR", help="to validate on: data directory or pack")
    parser.add_argument("--out", type=Path, required=True, metavar="EXP", help="folder of the experiment")
    parser.add_argument(
        "--from",
        dest="initialise_from",
        type=model_path,
        metavar="MODEL",
        help="begin with the weights of this model; voices, depth of the decoder and, unless kept, the number of codes "
        "may differ",
    )
    parser.add_argument(
        "--codes",
        action="append",
        metavar="PATH",
        help="train a decoder on these codes of both parts, by any system at any rate (presets without an encoder, as "
        "decoder-50hz): codes.txt, or .km, .jsonl, .npy, lines of text with --frame-period; may be given again",
    )
    add_foreign(parser.add_argument_group("codes of other systems"))
    parser.add_argument(
        "--features",
        type=model_path,
        metavar="MODEL",
        help="whose features the codes learn to predict: a unit model by name or folder, or the file of weights of a "
        "HuBERT, WavLM or wav2vec 2.0 as torchaudio's bundles store them; the preset says which: "
        "training.features={model: hubert_base, layer: 9, weight: 1} model.conditioner.features=768, or of units "
        "{model: units, layer: 7, weight: 1} and 256",
    )
    add_training(parser)
    add_allow_pipes(parser)


def run(options: argparse.Namespace) -> None:
    """Train to the end and say where the model lies."""
    import torch

    from vqspeech.devices import Devices
    from vqspeech.training import precision
    from vqspeech.training.config import Preset, read_preset
    from vqspeech.training.feature_targets import FeatureTargets
    from vqspeech.training.pack_cache import cached_pack
    from vqspeech.training.trainer import Trainer
    from vqspeech.training.vqvae_task import VQVAETask

    require_folder(options.out)
    if options.threads:
        torch.set_num_threads(options.threads)
    preset, codes = external_codes(read_preset(options.preset, options.changes), options)
    devices = Devices.find(options.device, preset.training.precision)
    training, audio = preset.training, preset.model.audio
    copies = training.perturbed_copies if training.perturb_probability else 0
    wanted = partial(cached_pack, audio=audio, pitch=preset.model.conditioner.pitch, seed=training.seed)
    train = wanted(options.data, options.out / "train.pack", perturbed_copies=copies)
    dev = wanted(options.dev, options.out / "dev.pack")

    features = None
    if options.features is not None:
        if training.features is None:
            raise InputError("the preset learns no features", where=options.features, hint="set training.features")
        hop = preset.model.conditioner.hop
        features = FeatureTargets(training.features, options.features, sample_rate=audio.sample_rate, hop=hop)

    def make(preset: Preset) -> VQVAETask:
        return VQVAETask(preset, train, dev, devices.rank, options.initialise_from, codes, features)

    task, devices = precision.build(preset, make, options.out, devices)
    best = Trainer(task, options.out, devices).run(ends_process=True)
    if devices.leads:
        print(f"{options.out}/checkpoints/best: {best.summary(str)}")
