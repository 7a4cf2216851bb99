"""A model for the commands that need one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from vqspeech.model.checkpoint import save_model
from vqspeech.model.vqvae import VQVAE
from vqspeech.training.config import read_preset


def _saved(folder: Path, *changes: str) -> str:
    torch.manual_seed(0)
    network = VQVAE(read_preset("tiny", changes).model, ("anna", "bert"))
    network.quantizer.start(torch.randn(2000, 32))
    save_model(network, folder)
    return str(folder)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model directory with random weights, of two voices."""
    return _saved(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def multiband_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same with a decoder of four bands."""
    return _saved(tmp_path_factory.mktemp("multiband"), "model.decoder.bands=4")
