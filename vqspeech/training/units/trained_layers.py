"""The layers of a trained unit model that the next run begins with: those of its encoder and those behind it.

A model directory holds the encoder alone. The blocks that stood between it and the prediction are written beside it by
the run, so that the next iteration loses nothing of what was trained. Encoder and predictor are one stack of blocks:
where the encoder ends in it may change from one run to the next.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from vqspeech.errors import InputError
from vqspeech.files import atomic_open
from vqspeech.model.checkpoint import load_model, model_folder
from vqspeech.model.encoder import Encoder
from vqspeech.model.stored import read_tensors
from vqspeech.training.units.network import MaskedPredictor
from vqspeech.training.units.widening import Widening

#: Beside the model's own files: the mask token and the blocks behind the encoder.
PREDICTOR = "predictor.safetensors"


def save_predictor(network: MaskedPredictor, folder: Path) -> None:
    """Write mask token and predictor's blocks into a model directory; atomic.

    Raises:
        OSError: it cannot be written.
    """
    tensors = {"token": network.token.detach().cpu().contiguous()}
    tensors |= {f"blocks.{name}": t.detach().cpu().contiguous() for name, t in network.blocks.state_dict().items()}
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_open(folder / PREDICTOR, "wb") as file:
        file.write(save(tensors))


@dataclass(frozen=True)
class TrainedLayers:
    """Layers to begin with.

    Attributes:
        encoder: the trained encoder.
        predictor: ``token`` and ``blocks.N.…``, what stood behind it; empty where that is not known.
    """

    encoder: Encoder
    predictor: Mapping[str, Tensor] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: str | os.PathLike[str]) -> TrainedLayers:
        """Read those of a model directory or of an experiment.

        Raises:
            InputError: a file is missing or damaged.
        """
        stored = model_folder(folder) / PREDICTOR
        return cls(load_model(folder).encoder, read_tensors(stored) if stored.is_file() else {})

    @torch.no_grad()
    def copy_to(self, network: MaskedPredictor, seed: int) -> tuple[nn.Parameter, ...]:
        """Copy what ``network`` has room for: all below the blocks, and of the stack of blocks as many as both have.

        The encoder's projection and the scores of the clusters stay as they are. Where ``network`` has more channels,
        the layers are widened (``Widening``).

        Args:
            network: what is to be trained.
            seed: of the widening.

        Returns:
            The parameters of ``network`` that were copied.

        Raises:
            InputError: the encoders have other bands or windows, or ``network`` has fewer channels.
        """
        narrow, wide = self.encoder.config.channels, network.model.encoder.config.channels
        if narrow > wide:
            raise InputError(
                f"the model to begin with has {narrow} channels, the one to train {wide}",
                hint=f"set model.encoder.channels={narrow}, or more",
            )
        widening = Widening(narrow, wide, seed) if wide > narrow else None
        copied: list[nn.Parameter] = []

        def take(parameter: nn.Parameter, given: Tensor | None, what: str) -> None:
            if given is None or given.shape != parameter.shape:
                raise InputError(
                    f"the model to begin with has another encoder: {what}",
                    hint="take one of the same bands",
                )
            parameter.copy_(given)
            copied.append(parameter)

        encoder, found = network.model.encoder, self.encoder.state_dict()
        for name, parameter in encoder.named_parameters():
            if not _own_end(name):
                given = found.get(name)
                if widening and given is not None:
                    given = widening.strided(given, first=name.startswith("strided.0."))
                take(parameter, given, name)
        trained = {place: dict(block.state_dict()) for place, block in enumerate(self.encoder.blocks)}
        for name, tensor in self.predictor.items():
            if name.startswith("blocks."):
                number, _, rest = name.removeprefix("blocks.").partition(".")
                place = len(self.encoder.blocks) + int(number) if number.isdecimal() else -1
                trained.setdefault(place, {})[rest] = tensor
            elif name == "token" and tensor.shape == network.token.shape:
                take(network.token, tensor, name)
        for place, block in enumerate([*encoder.blocks, *network.blocks]):
            if place in trained:
                tensors = trained[place]
                if widening and widening.fits(tensors):
                    tensors = widening.block(tensors)
                for name, parameter in block.named_parameters():
                    take(parameter, tensors.get(name), f"block {place + 1}, {name}")
        return tuple(copied)


def _own_end(name: str) -> bool:
    """Whether a tensor of the encoder belongs to its blocks or to its projection, which is placed in the end."""
    return name.startswith(("blocks.", "projection."))
