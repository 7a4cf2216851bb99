"""What a later iteration predicts: the units of an earlier model, of whole utterances, as that model encodes them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqspeech.codes.duration_penalty import penalised_codes
from vqspeech.errors import InputError
from vqspeech.model.checkpoint import codes_checksum, load_model, model_folder
from vqspeech.model.packed_encoder import PackedEncoder
from vqspeech.model.vqvae import VQVAE
from vqspeech.training.pack import Pack
from vqspeech.training.units.codebook import VECTORS, place_codebook
from vqspeech.training.units.config import MOST_UNITS, UnitsPreset
from vqspeech.training.units.targets import Labeller, Progress, kept_targets


class Teacher:
    """An earlier model whose units are predicted: those it has, or others of its encoder.

    Args:
        folder: a model directory or an experiment.
        preset: the model that is to be trained, and what it is to predict.

    Raises:
        InputError: there is no model, or one of another rate, without an encoder of log-mel frames or with too many
            units.
    """

    def __init__(self, folder: str | os.PathLike[str], preset: UnitsPreset) -> None:
        self.config = preset.training.targets
        self.seed = preset.training.seed
        self.network = load_model(folder).eval().requires_grad_(False)
        self.checksum = codes_checksum(model_folder(folder))
        theirs, ours = self.network.config, preset.model
        if (theirs.audio.sample_rate, theirs.code_hop) != (ours.audio.sample_rate, ours.code_hop):
            raise InputError(
                f"the teacher has {theirs.code_rate:g} units per second, the preset {ours.code_rate:g}",
                where=folder,
                hint="take targets of a model of the same rate",
            )
        if theirs.encoder.external or theirs.encoder.front_end != "log-mel":
            raise InputError(
                "the teacher has no encoder of log-mel frames", where=folder, hint="take targets of a unit model"
            )
        if self.units > MOST_UNITS:
            raise InputError(f"the teacher has {self.units} units", where=folder, hint=f"{MOST_UNITS} at most")

    @property
    def units(self) -> int:
        """How many there are to tell apart."""
        return self.config.units or self.network.config.quantizer.codes

    def targets(
        self,
        cache: Path,
        packs: Mapping[str, Pack],
        device: torch.device,
        progress: Progress | None = None,
        gathering: Progress | None = None,
    ) -> dict[str, NDArray[np.int16]]:
        """The units of some packs; where they are others than the model's, they are placed on the first pack.

        Args:
            cache: as for ``kept_targets``, likewise the rest.
            packs: by name.
            device: where they are computed.
            progress: called with utterances done and all of them, of each pack.
            gathering: called with the vectors gathered to place units on and all of them.

        Raises:
            InputError: as by ``kept_targets``.
        """
        penalty = self.config.duration_penalty

        def labeller() -> Labeller:
            network = self._clustered(next(iter(packs.values())), gathering) if self.config.units else self.network
            return _penalised(network.to(device), penalty) if penalty else _nearest(network.to(device))

        made_by = f"units {self.checksum}"
        if self.config.units:
            made_by += f" clustered {self.config.units} {self.seed}"
        if penalty:
            made_by += f" penalty {penalty}"
        return kept_targets(cache, packs, self.network.config.code_hop, labeller, made_by=made_by, progress=progress)

    def _clustered(self, pack: Pack, progress: Progress | None) -> VQVAE:
        """The model with as many units as the targets are to have."""
        config = self.network.config
        quantizer = msgspec.structs.replace(config.quantizer, codes=self.config.units)
        network = VQVAE(msgspec.structs.replace(config, quantizer=quantizer), ()).eval().requires_grad_(False)
        network.encoder.load_state_dict(self.network.encoder.state_dict())
        place_codebook(network, pack, vectors=VECTORS, seed=self.seed, progress=progress)
        return network


def _nearest(network: VQVAE) -> Labeller:
    engine = PackedEncoder(network)

    def label(waveform: NDArray[np.float32]) -> NDArray[np.int64]:
        units: NDArray[np.int64] = engine.codes([_shaped(network, waveform)[0]])[0].cpu().numpy()
        return units

    return label


def _penalised(network: VQVAE, penalty: float) -> Labeller:
    codebook = network.quantizer.codebook.detach().cpu().numpy()  # (units, dimension)

    @torch.no_grad()
    def label(waveform: NDArray[np.float32]) -> NDArray[np.int64]:
        vectors = network.encoder(_shaped(network, waveform))[0].t().cpu().numpy()  # (positions, dimension)
        return penalised_codes(vectors, codebook, penalty=penalty).astype(np.int64)

    return label


def _shaped(network: VQVAE, waveform: NDArray[np.float32]) -> Tensor:
    """What the encoder takes, ``(1, samples)``."""
    return network.companding.preemphasise(torch.from_numpy(waveform).to(network.device)[None])
