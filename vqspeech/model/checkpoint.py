"""A model as a directory: ``model.safetensors``, ``config.yaml``, ``speakers.txt`` and its card, ``README.md``."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import torch
import yaml
from safetensors.torch import save
from torch import Tensor

from vqspeech.errors import InputError
from vqspeech.files import atomic_open
from vqspeech.model.config import ModelConfig
from vqspeech.model.legacy import current_names
from vqspeech.model.packaged import best_of
from vqspeech.model.stored import build, fill, read_config, read_tensors
from vqspeech.model.vqvae import VQVAE

#: What a model directory must hold.
_FILES = ("config.yaml", "speakers.txt", "model.safetensors")
#: Where a save keeps its files, in the model directory, from when all are written until the last is in its place.
_SAVED = ".saved"


def save_model(model: VQVAE, folder: str | os.PathLike[str], *, half: bool = False) -> None:
    """Write a model directory; a card that is already there stays.

    Whatever happens meanwhile (an exception, ``kill -9``), what ``load_model`` reads afterwards is either the model
    that was there or this one, whole.

    Args:
        model: what to write.
        folder: made if need be.
        half: store the matrices behind the codebook in 16 bits, for half the size. What decides the codes stays exact,
            but in a model without voices, which is nothing else: its encoder's matrices are rounded, too.

    Raises:
        OSError: the folder cannot be written or the disk is full.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    if half:
        parts = ("conditioner.", "decoder.", "adapters.") if model.speakers else ("encoder.",)
        tensors = {
            name: tensor.half() if _can_be_half(name, tensor, parts) else tensor for name, tensor in tensors.items()
        }
    with _replacing(Path(folder)) as new:
        with atomic_open(new / "config.yaml") as file:
            yaml.safe_dump(msgspec.to_builtins(model.config), file, sort_keys=False)
        with atomic_open(new / "speakers.txt") as file:
            file.writelines(f"{speaker}\n" for speaker in model.speakers)
        with atomic_open(new / "model.safetensors", "wb") as file:
            file.write(save(tensors))  # by ourselves: safetensors' own words for a full disk are no OSError


def copy_model(source: str | os.PathLike[str], folder: str | os.PathLike[str]) -> None:
    """Copy a model directory without its card, byte by byte; as safe as ``save_model``.

    Args:
        source: a model directory.
        folder: made if need be.

    Raises:
        InputError: a file of the source is missing.
        OSError: the folder cannot be written or the disk is full.
    """
    source, folder = model_folder(source), Path(folder)
    if folder.is_dir() and folder.samefile(source):
        return
    with _replacing(folder) as new:
        for name in _FILES:
            with (source / name).open("rb") as read, atomic_open(new / name, "wb") as file:
                shutil.copyfileobj(read, file)


@contextmanager
def _replacing(folder: Path) -> Iterator[Path]:
    """Yield a folder for the files of a model, which take the places of those in ``folder`` in the end."""
    folder.mkdir(parents=True, exist_ok=True)
    _finish_save(folder)
    with tempfile.TemporaryDirectory(prefix=".saving.", dir=folder) as name:
        new = Path(name)
        yield new
        # From this step on the new model counts: a reader moves what the writer no longer could.
        new.rename(folder / _SAVED)
    _finish_save(folder)


def _can_be_half(name: str, tensor: Tensor, parts: tuple[str, ...]) -> bool:
    return tensor.ndim > 1 and name.startswith(parts)


def _finish_save(folder: Path) -> None:
    """Move into place what a save has written in full, if one was killed before it did so itself."""
    saved = folder / _SAVED
    if not saved.is_dir():
        return
    # The writer may be alive and at it too.
    with contextlib.suppress(FileNotFoundError):
        for name in _FILES:
            with contextlib.suppress(FileNotFoundError):
                (saved / name).replace(folder / name)
        saved.rmdir()


def model_folder(folder: str | os.PathLike[str]) -> Path:
    """The model directory that ``folder`` is, or the best model of the experiment that it is.

    Raises:
        InputError: a file of a model directory is missing.
    """
    folder = Path(folder)
    _finish_save(folder)
    folder = best_of(folder)
    _finish_save(folder)
    for name in _FILES:
        if not (folder / name).is_file():
            raise InputError(
                f"no {name} in it",
                where=folder,
                hint="give a model directory, an experiment's folder or hf://owner/name",
            )
    return folder


def read_speakers(folder: str | os.PathLike[str]) -> tuple[str, ...]:
    """The voices of the model in ``folder``, in the order of their vectors.

    Raises:
        InputError: a file of the model is missing, or its list of speakers is no text.
    """
    listing = model_folder(folder) / "speakers.txt"
    try:
        return tuple(listing.read_text(encoding="utf-8").split())
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8 text: {error}", where=listing, hint="take it from the backup") from None


def load_model(folder: str | os.PathLike[str]) -> VQVAE:
    """Read a model directory, or the best model of an experiment's folder.

    Returns:
        The model on the CPU, in evaluation mode.

    Raises:
        InputError: a file is missing, malformed or does not fit the others.
    """
    folder = model_folder(folder)
    config_file, weights = folder / "config.yaml", folder / "model.safetensors"
    config = read_config(config_file, ModelConfig)
    config.check(str(config_file))
    speakers = read_speakers(folder)
    tensors = read_tensors(weights)
    tensors = current_names(tensors, where=str(weights))
    adapters = sorted({int(name.split(".")[1]) for name in tensors if re.match(r"adapters\.\d+\.", name)})
    # Its random first weights are all replaced; drawing them must not disturb the user's random numbers.
    with torch.random.fork_rng(devices=[]):
        model = build(lambda: VQVAE(config, speakers, adapters), where=config_file)
    # A model from before there were speaker statistics has none, and codes are not adapted.
    absent = {name: tensor for name, tensor in model.state_dict().items() if name.startswith("speaker_stats.")}
    fill(model, absent | tensors, where=weights)
    return model.eval()


def checksum(folder: str | os.PathLike[str]) -> str:
    """SHA-256 of all of a model's weights, in hexadecimal."""
    return hashlib.sha256((Path(folder) / "model.safetensors").read_bytes()).hexdigest()


def codes_checksum(folder: str | os.PathLike[str]) -> str:
    """SHA-256 of all that decides which codes a recording has: which model made these codes.

    Models that differ in their decoders and voices alone share it; so do those that bring recordings to a voice
    otherwise (``f0_warp``).
    """
    folder = Path(folder)
    config = read_config(folder / "config.yaml", ModelConfig)
    settings = [_told(config.audio), _told(msgspec.structs.replace(config.encoder, f0_warp=0.0))]
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for name, tensor in sorted(read_tensors(folder / "model.safetensors").items()):
        if name.startswith("encoder.") or name == "quantizer.codebook":
            digest.update(name.encode())
            digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def _told(config: msgspec.Struct) -> dict[str, Any]:
    """A part of a config without what is at its default, so that a new setting does not change old checksums."""
    fields = msgspec.structs.fields(config)
    return {field.name: value for field in fields if (value := getattr(config, field.name)) != field.default}
