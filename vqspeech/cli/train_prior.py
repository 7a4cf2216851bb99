r"""Train a prior over a model's codes: what comes after what, so that speech can be drawn, continued and scored.

vqspeech encode data/train --out exp/train/codes.txt, the same for data/dev, then
vqspeech train-prior wavenet --codes exp/train/codes.txt --dev exp/dev/codes.txt --utt2spk data/train/utt2spk \
  --utt2spk data/dev/utt2spk --out exp/prior

The experiment's folder holds config.yaml, train.log, TensorBoard's curves and checkpoints/ (last.pt to go on from, and
best/, a prior directory for --prior; copied into a model's directory as prior/, it is that model's own). Stopped at any
moment, the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from vqspeech.cli.common.model import model_path
from vqspeech.cli.common.prior import add_utt2spk, read_utt2spk
from vqspeech.cli.common.training import add_training
from vqspeech.errors import InputError, located
from vqspeech.files import require_folder

if TYPE_CHECKING:
    from vqspeech.codes import Codes
    from vqspeech.training.prior.dataset import CodeData


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("preset", metavar="PRESET", help="a YAML file, or the name of a prior's preset of the package")
    parser.add_argument(
        "--codes", type=Path, action="append", required=True, metavar="CODES.txt", help="to train on (may be repeated)"
    )
    parser.add_argument("--dev", type=Path, required=True, metavar="CODES.txt", help="to validate on")
    add_utt2spk(parser)
    parser.add_argument("--model", type=model_path, metavar="MODEL", help="insist that this model made the codes")
    parser.add_argument("--out", type=Path, required=True, metavar="EXP", help="folder of the experiment")
    add_training(parser)


def run(options: argparse.Namespace) -> None:
    """Train to the end and say where the prior lies."""
    import torch

    from vqspeech import codes
    from vqspeech.devices import Devices
    from vqspeech.model.checkpoint import codes_checksum, model_folder
    from vqspeech.training import precision
    from vqspeech.training.prior.card import write_card
    from vqspeech.training.prior.config import PriorPreset, read_prior_preset
    from vqspeech.training.prior.task import PriorTask
    from vqspeech.training.trainer import Trainer

    require_folder(options.out)
    if options.threads:
        torch.set_num_threads(options.threads)
    preset = read_prior_preset(options.preset, options.changes)
    made_by = None if options.model is None else codes_checksum(model_folder(options.model))
    parts = [codes.read(path) for path in [*options.codes, options.dev]]
    for path, part in zip([*options.codes, options.dev], parts, strict=True):
        expected = made_by or parts[0].info.checksum
        if part.info.checksum != expected or part.info.codebook_size != parts[0].info.codebook_size:
            raise InputError("made by another model", where=path, hint="encode all parts with the same model")
    devices = Devices.find(options.device, preset.training.precision)
    utt2spk = read_utt2spk(options.utt2spk)
    train = _collect(parts[:-1], utt2spk, None, options.codes[0])
    dev = _collect(parts[-1:], utt2spk, train.names, options.dev)

    def make(preset: PriorPreset) -> PriorTask:
        return PriorTask(preset, train, dev, devices.rank)

    task, devices = precision.build(preset, make, options.out, devices)
    best = Trainer(task, options.out, devices).run(ends_process=True)
    if devices.leads:
        write_card(options.out / "checkpoints" / "best", preset, train, best)
        said = best.summary(lambda measures: f"{measures.bits:.3f} bits per code on held-out codes")
        print(f"{options.out}/checkpoints/best: {said}")


def _collect(parts: list[Codes], utt2spk: dict[str, str], names: tuple[str, ...] | None, where: Path) -> CodeData:
    """Several archives of one model's codes and who said them; ``names`` are the speakers, if they are known."""
    from vqspeech.training.prior.dataset import CodeData

    sequences = {name: sequence for part in parts for name, sequence in part.sequences.items()}
    if len(sequences) < sum(len(part.sequences) for part in parts):
        raise InputError("an utterance occurs in two archives", where=where, hint="name each archive once")
    info = parts[0].info
    with located(where):
        return CodeData.collect(
            sequences, utt2spk or None, codes=info.codebook_size, made_by=info.checksum, names=names
        )
