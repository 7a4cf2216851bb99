"""Trained models whose hidden features others learn to predict: torchaudio's, and unit models of this package."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqspeech.errors import InputError, decoding
from vqspeech.model.checkpoint import load_model
from vqspeech.training.config import FeatureConfig

#: The name of a unit model among the models of ``training.features``.
UNITS = "units"
#: Models of torchaudio that want a waveform of mean 0 and variance 1.
NORMALIZED = ("hubert_large", "hubert_xlarge", "wavlm_large")


class Teacher(Protocol):
    """A model that gives features of a waveform.

    Attributes:
        network: what is moved to the waveform's device.
        rate: sample rate it takes, in Hz.
        hop: samples from one of its frames to the next.
        first_centre: samples from the beginning to the middle of its first frame.
    """

    network: nn.Module
    rate: int
    hop: int
    first_centre: float

    def features(self, waveform: Tensor) -> Tensor:
        """``(batch, time)`` -> ``(batch, frames, dimension)``."""
        ...


def find_teacher(config: FeatureConfig, weights: Path) -> Teacher:
    """Read the model that ``config`` names.

    Args:
        config: which model, and which of its layers.
        weights: its state dict, as torchaudio's bundles store it; of a unit model its directory or experiment.

    Raises:
        InputError: the file is missing or damaged, holds another model, or one of fewer layers.
    """
    teacher: TorchaudioTeacher | UnitTeacher
    teacher = UnitTeacher(config, weights) if config.model == UNITS else TorchaudioTeacher(config, weights)
    if config.layer > teacher.layers:
        raise InputError(
            f"training.features.layer is {config.layer}", where=weights, hint=f"it has layers 1 to {teacher.layers}"
        )
    teacher.network.eval().requires_grad_(False)
    return teacher


class TorchaudioTeacher:
    """A HuBERT, WavLM or wav2vec 2.0; see ``find_teacher``."""

    rate = 16000
    hop = 320
    #: Half of the 400 samples that a frame sees.
    first_centre = 200.0

    def __init__(self, config: FeatureConfig, weights: Path) -> None:
        from vqspeech.torchaudio_import import torchaudio

        make: Callable[[], nn.Module] = getattr(torchaudio.models, config.model)
        self.network = make()
        self.config = config
        if not weights.is_file():
            raise InputError("no such file", where=weights, hint=f"give the weights of {config.model} (--features)")
        with decoding(
            "not the weights of a model", where=weights, hint="give a state dict as torchaudio's bundles have it"
        ):
            try:
                state = torch.load(weights, map_location="cpu", weights_only=True)
            except pickle.UnpicklingError as error:
                raise ValueError(str(error)) from None
        try:
            self.network.load_state_dict(state)
        except (RuntimeError, TypeError, AttributeError):
            raise InputError(
                f"not the weights of {config.model}", where=weights, hint="name the model in training.features.model"
            ) from None
        self.layers = len(self.network.encoder.transformer.layers)  # type: ignore[union-attr, arg-type]

    def features(self, waveform: Tensor) -> Tensor:
        """Output of the layer, ``(batch, time)`` -> ``(batch, frames, dimension)``."""
        if self.config.model in NORMALIZED:
            waveform = F.layer_norm(waveform, waveform.shape[1:])
        layers, _ = self.network.extract_features(waveform, num_layers=self.config.layer)  # type: ignore[operator]
        last: Tensor = layers[-1]
        return last


class UnitTeacher:
    """The encoder of a unit model; its layers are its blocks. See ``find_teacher``."""

    def __init__(self, config: FeatureConfig, folder: Path) -> None:
        self.model = load_model(folder)
        self.network: nn.Module = self.model
        self.layer = config.layer
        self.rate = self.model.config.audio.sample_rate
        self.hop = self.model.config.code_hop
        self.first_centre = self.hop / 2
        self.layers = len(self.model.config.encoder.dilations)

    def features(self, waveform: Tensor) -> Tensor:
        """Output of the block, ``(batch, time)`` -> ``(batch, frames, channels)``."""
        model = self.model
        whole = waveform[:, : waveform.shape[1] // self.hop * self.hop]  # (batch, samples)
        hidden = model.encoder.hidden(model.encoder.features(model.companding.preemphasise(whole)))
        return hidden[self.layer].transpose(1, 2)  # (batch, frames, channels)
