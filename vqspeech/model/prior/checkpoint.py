"""A prior as a directory: ``prior.safetensors``, ``config.yaml``, ``speakers.txt`` and its card, ``README.md``."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import torch
import yaml
from safetensors.torch import save

from vqspeech.errors import InputError
from vqspeech.files import atomic_open
from vqspeech.model.prior import Prior
from vqspeech.model.prior.config import PriorConfig
from vqspeech.model.stored import build, fill, read_config, read_tensors

#: Where in a model's directory its prior lies.
INSIDE = "prior"
_WEIGHTS = "prior.safetensors"


def save_prior(prior: Prior, folder: str | os.PathLike[str]) -> None:
    """Write a prior directory, weights in fp16; a card that is already there stays.

    Args:
        prior: what to write.
        folder: made if need be.

    Raises:
        OSError: the folder cannot be written or the disk is full.
    """
    folder = Path(folder)
    with atomic_open(folder / "config.yaml") as file:
        yaml.safe_dump(msgspec.to_builtins(prior.config), file, sort_keys=False)
    with atomic_open(folder / "speakers.txt") as file:
        file.writelines(f"{speaker}\n" for speaker in prior.speakers)
    # What rounding to 11 bits costs is far below what one more utterance would change (under 1e-4 bits per code).
    tensors = {name: tensor.detach().cpu().half().contiguous() for name, tensor in prior.state_dict().items()}
    with atomic_open(folder / _WEIGHTS, "wb") as file:
        file.write(save(tensors))  # by ourselves: safetensors' own words for a full disk are no OSError


def prior_folder(folder: str | os.PathLike[str]) -> Path:
    """The prior directory that ``folder`` is, or has: in an experiment the best prior, in a model ``prior/``.

    Raises:
        InputError: there is none, or a file of it is missing.
    """
    folder = Path(folder)
    inner = [folder, folder / "checkpoints" / "best", folder / INSIDE, folder / "checkpoints" / "best" / INSIDE]
    found = next((place for place in inner if (place / _WEIGHTS).is_file()), None)
    if found is None:
        raise InputError(
            "no prior in it", where=folder, hint="train one with vqspeech train-prior, name it with --prior"
        )
    for name in ("config.yaml", "speakers.txt"):
        if not (found / name).is_file():
            raise InputError(f"no {name} in it", where=found, hint="copy the whole folder")
    return found


def load_prior(folder: str | os.PathLike[str], *, made_by: str | None = None) -> Prior:
    """Read a prior directory, the best prior of an experiment's folder, or the prior inside a model's.

    Args:
        folder: where it is.
        made_by: checksum of the model whose codes it shall be a prior of; None asks for no particular one.

    Returns:
        The prior on the CPU, in evaluation mode.

    Raises:
        InputError: a file is missing, malformed or does not fit the others, or it is a prior of another model's codes.
    """
    folder = prior_folder(folder)
    config_file, weights, listing = (folder / name for name in ("config.yaml", _WEIGHTS, "speakers.txt"))
    config = read_config(config_file, PriorConfig)
    config.network.check(str(config_file))
    try:
        speakers = tuple(listing.read_text(encoding="utf-8").split())
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8 text: {error}", where=listing, hint="copy it again") from None
    if made_by is not None and config.made_by not in (None, made_by):
        raise InputError(
            "a prior of another model's codes",
            where=folder,
            hint="name its model with --model, or train one for this model with vqspeech train-prior",
        )
    # Its random first weights are all replaced; drawing them must not disturb the user's random numbers.
    with torch.random.fork_rng(devices=[]):
        prior = build(lambda: Prior(config, speakers), where=config_file)
    fill(prior, read_tensors(weights), where=weights)
    return prior.eval()
