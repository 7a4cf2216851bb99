"""A prior whose network is the recipe's own: what it is, how it is trained, how it is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import torch
import yaml
from masked_convolutions import MaskedConvolutions
from msgspec import Meta, Struct
from safetensors.torch import load_file, save
from torch import nn
from torch.optim import AdamW, Optimizer

from vqspeech.errors import InputError
from vqspeech.files import atomic_open
from vqspeech.model.config import Count
from vqspeech.model.prior import Prior
from vqspeech.model.prior.config import ConvolutionsConfig, PriorConfig, Share
from vqspeech.training.muon import Muon
from vqspeech.training.preset_file import PresetFile
from vqspeech.training.prior.config import PriorPreset, PriorTrainingConfig
from vqspeech.training.prior.dataset import CodeData
from vqspeech.training.prior.task import PriorTask

Grid = tuple[int, int]


class MaskedConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Sizes; see ``MaskedConvolutions``."""

    layers: Count
    kernel: Annotated[int, Meta(ge=1)]
    width: Count
    gate: Count
    skip: Count
    dropout: Share

    def build(self, grid: Grid) -> nn.Module:
        """The network for a grid of rows and columns."""
        return MaskedConvolutions(*grid, **msgspec.structs.asdict(self))


class MaskedPreset(PresetFile, frozen=True):
    """A preset file: a prior with masked convolutions and how it is trained."""

    bigrams: bool
    network: MaskedConfig
    training: PriorTrainingConfig

    def check(self, where: str) -> None:
        """Check what no single key can show; raises InputError naming the keys."""
        if self.network.kernel % 2 == 0:
            raise InputError(f"network.kernel is {self.network.kernel}", where=where, hint="use an odd number")


class _Saved(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What stands in ``config.yaml``; the network's part is read by its own kind."""

    grid: Grid
    codes: Count
    bigrams: bool
    classes: list[str]
    network: dict[str, Any]


def _prior(config: MaskedConfig, grid: Grid, *, codes: int, bigrams: bool, classes: tuple[str, ...]) -> Prior:
    """The package's prior with our network in the place of its own."""
    prior = Prior(PriorConfig(codes=codes, made_by=None, bigrams=bigrams, network=_outer(config)), classes)
    # Of its network the prior asks nothing but ``channels`` and a call with a cache.
    prior.network = config.build(grid)  # type: ignore[assignment]
    return prior


def _outer(network: MaskedConfig) -> ConvolutionsConfig:
    """The package's smallest network between embedding and softmax of the sizes that ours needs."""
    return ConvolutionsConfig(
        layers=1, cycle=1, kernel=2, width=network.width, gate=1, skip=network.skip, dropout=network.dropout
    )


class MaskedPriorTask(PriorTask):
    """Train such a prior: the package's task with another network.

    Args:
        preset: network and training.
        train: codes to learn from, each sequence whole grids in raster order.
        dev: codes to evaluate on.
        grid: rows and columns.
        rank: of this process.
    """

    def __init__(self, preset: MaskedPreset, train: CodeData, dev: CodeData, grid: Grid, rank: int = 0) -> None:
        longest = max(len(codes) for codes in train.sequences)
        if preset.training.crop < longest:
            # A crop that begins later would not lie on the grid.
            raise InputError(
                f"training.crop is {preset.training.crop}", hint=f"use {longest}, a whole sequence, or more"
            )
        inner = PriorPreset(bigrams=preset.bigrams, network=_outer(preset.network), training=preset.training)
        super().__init__(inner, train, dev, rank)
        # The inner preset says nothing more than ours does.
        self.preset: MaskedPreset = preset  # type: ignore[assignment]
        self.grid = grid
        self.model.network = preset.network.build(grid)  # type: ignore[assignment]

    def optimizers(self) -> list[Optimizer]:
        """Muon on the network's matrices and kernels if it is given a rate, AdamW on all else."""
        rates = self.config.optimizer
        layers = [layer for layer in self.model.network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
        kernels = [layer.weight for layer in layers] if rates.muon else []
        taken = {id(kernel) for kernel in kernels}
        rest = [parameter for parameter in self.model.parameters() if id(parameter) not in taken]
        optimizers: list[Optimizer] = [AdamW(rest, lr=rates.adam, betas=(0.9, 0.99), weight_decay=0.0)]
        if kernels:
            optimizers.append(Muon(kernels, lr=rates.muon, weight_decay=rates.weight_decay))
        return optimizers

    def save_best(self, model: Prior, folder: Path) -> None:
        """Write a prior's folder."""
        saved = _Saved(
            grid=self.grid,
            codes=model.config.codes,
            bigrams=model.config.bigrams,
            classes=list(model.speakers),
            network=msgspec.to_builtins(self.preset.network),
        )
        with atomic_open(folder / "config.yaml") as file:
            yaml.safe_dump(msgspec.to_builtins(saved), file, sort_keys=False)
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
        with atomic_open(folder / "masked.safetensors", "wb") as file:
            file.write(save(tensors))


def load_masked_prior(folder: Path, kind: type[MaskedConfig] = MaskedConfig) -> Prior:
    """Read what training has kept.

    Raises:
        InputError: a file is missing or damaged.
    """
    try:
        saved = msgspec.convert(yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8")), _Saved)
        config = msgspec.convert(saved.network, kind)
        with torch.random.fork_rng(devices=[]):
            classes = tuple(saved.classes)
            prior = _prior(config, saved.grid, codes=saved.codes, bigrams=saved.bigrams, classes=classes)
        prior.load_state_dict(load_file(folder / "masked.safetensors"))
    except (OSError, msgspec.ValidationError, yaml.YAMLError, RuntimeError, ValueError) as error:
        raise InputError(f"no prior in it: {error}", where=folder, hint="train one") from None
    return prior.eval()
