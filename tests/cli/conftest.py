"""A model for the commands that need one."""

from __future__ import annotations

import pytest
import torch

from vqspeech.model.checkpoint import save_model
from vqspeech.model.vqvae import VQVAE
from vqspeech.training.config import read_preset


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model directory with random weights, of two voices."""
    torch.manual_seed(0)
    network = VQVAE(read_preset("tiny").model, ("anna", "bert"))
    network.quantizer.start(torch.randn(2000, 32))
    folder = tmp_path_factory.mktemp("model")
    save_model(network, folder)
    return str(folder)
