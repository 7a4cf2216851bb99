"""What a later iteration predicts: the units of an earlier model, of whole utterances, as that model encodes them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from vqspeech.codes.duration_penalty import penalised_codes
from vqspeech.errors import InputError
from vqspeech.model.checkpoint import codes_checksum, load_model, model_folder
from vqspeech.model.config import ModelConfig
from vqspeech.model.packed_encoder import PackedEncoder
from vqspeech.training.pack import Pack
from vqspeech.training.units.targets import Labeller, Progress, kept_targets

#: Units are kept in 16 bits, -1 among them.
MOST_UNITS = 1 << 15


class Teacher:
    """An earlier model whose units are predicted.

    Args:
        folder: a model directory or an experiment.
        preset: the model that is to be trained.
        duration_penalty: what a change of unit costs, see ``vqspeech.training.units.config.TargetsConfig``.

    Raises:
        InputError: there is no model, or one of another rate, without an encoder of log-mel frames or with too many
            units.
    """

    def __init__(self, folder: str | os.PathLike[str], preset: ModelConfig, duration_penalty: float = 0.0) -> None:
        self.duration_penalty = duration_penalty
        self.network = load_model(folder).eval().requires_grad_(False)
        self.checksum = codes_checksum(model_folder(folder))
        theirs = self.network.config
        if (theirs.audio.sample_rate, theirs.code_hop) != (preset.audio.sample_rate, preset.code_hop):
            raise InputError(
                f"the teacher has {theirs.code_rate:g} units per second, the preset {preset.code_rate:g}",
                where=folder,
                hint="take targets of a model of the same rate",
            )
        if theirs.encoder.external or theirs.encoder.front_end != "log-mel":
            raise InputError(
                "the teacher has no encoder of log-mel frames", where=folder, hint="take targets of a unit model"
            )
        if theirs.quantizer.codes > MOST_UNITS:
            raise InputError(
                f"the teacher has {theirs.quantizer.codes} units", where=folder, hint=f"{MOST_UNITS} at most"
            )

    @property
    def units(self) -> int:
        """How many there are to tell apart."""
        return self.network.config.quantizer.codes

    def targets(
        self, cache: Path, packs: Mapping[str, Pack], device: torch.device, progress: Progress | None = None
    ) -> dict[str, NDArray[np.int16]]:
        """The units of some packs.

        Args:
            cache: as for ``kept_targets``, likewise the rest.
            packs: by name.
            device: where they are computed.
            progress: called with utterances done and all of them, of each pack.

        Raises:
            InputError: as by ``kept_targets``.
        """
        network = self.network

        def labeller() -> Labeller:
            engine = PackedEncoder(network.to(device))
            codebook = network.quantizer.codebook.detach().cpu().numpy()  # (units, dimension)

            @torch.no_grad()
            def label(waveform: NDArray[np.float32]) -> NDArray[np.int64]:
                shaped = network.companding.preemphasise(torch.from_numpy(waveform).to(device)[None])  # (1, samples)
                units: NDArray[np.int64]
                if self.duration_penalty:
                    vectors = network.encoder(shaped)[0].t().cpu().numpy()  # (units, dimension)
                    units = penalised_codes(vectors, codebook, penalty=self.duration_penalty).astype(np.int64)
                else:
                    units = engine.codes([shaped[0]])[0].cpu().numpy()
                return units

            return label

        made_by = f"units {self.checksum}" + (f" penalty {self.duration_penalty}" if self.duration_penalty else "")
        return kept_targets(cache, packs, network.config.code_hop, labeller, made_by=made_by, progress=progress)
