"""A model for the commands that need one."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable
from multiprocessing.process import BaseProcess
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


def _run(words: list[str]) -> None:
    from vqspeech.cli.main import main

    with Path(os.devnull).open("w") as sys.stdout:
        for descriptor in (1, 2):
            os.dup2(sys.stdout.fileno(), descriptor)
        status = main(words)
    os._exit(status)


@pytest.fixture
def start() -> Callable[[list[str]], BaseProcess]:
    """Begin a command in a process that can be killed, with what the test has patched; a fork: all is imported."""

    def begin(words: list[str]) -> BaseProcess:
        process = multiprocessing.get_context("fork").Process(target=_run, args=(words,))
        process.start()
        return process

    return begin


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model directory with random weights, of two voices."""
    return _saved(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def multiband_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same with a decoder of four bands."""
    return _saved(tmp_path_factory.mktemp("multiband"), "model.decoder.bands=4")
