"""A small model, and the application around it, for all tests of the page."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from vqspeech.model.checkpoint import save_model
from vqspeech.model.vqvae import VQVAE
from vqspeech.training.config import read_preset

if TYPE_CHECKING:
    from starlette.testclient import TestClient

HOST = "http://127.0.0.1:8765"


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model directory with random weights, of two voices, conditioned on pitch."""
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    network = VQVAE(
        read_preset("tiny", ("model.conditioner.pitch=true", "model.conditioner.block=modulated")).model,
        ("anna", "bert"),
    )
    network.quantizer.start(torch.randn(2000, 32))
    save_model(network, folder)
    return str(folder)


@pytest.fixture(scope="session")
def settings(model: str) -> dict[str, Any]:
    """Of workers with that model."""
    return {"model": model, "engine": "auto", "precision": "fp32", "threads": 1, "device": "cpu", "voices": None}


@pytest.fixture(scope="session")
def serving(settings: dict[str, Any]) -> Callable[..., AbstractContextManager[TestClient]]:
    """What runs the application within a ``with``: the token, and limits by name."""
    from starlette.testclient import TestClient

    from vqspeech.web.app import Service, make_app
    from vqspeech.web.limits import Limits

    @contextmanager
    def run(token: str | None = None, **limits: Any) -> Iterator[TestClient]:
        app = make_app(Service(settings, dataclasses.replace(Limits(), **limits)), token)
        with TestClient(app, base_url=HOST, follow_redirects=False) as client:
            yield client

    return run


@pytest.fixture(scope="session")
def client(serving: Callable[..., AbstractContextManager[TestClient]]) -> Iterator[TestClient]:
    """The application with its usual limits."""
    with serving() as running:
        yield running


@pytest.fixture(scope="session")
def speech() -> bytes:
    """Real speech, 4.3 s of FLAC: the sample on the page."""
    from vqspeech.web.app import STATIC

    return (STATIC / "sample.flac").read_bytes()


@pytest.fixture(scope="session")
def tone() -> Callable[..., bytes]:
    """Makes a WAV file of a tone."""
    import soundfile

    def make(seconds: float, rate: int = 16_000) -> bytes:
        waveform = 0.1 * np.sin(2 * np.pi * 200 * np.arange(round(seconds * rate)) / rate)
        file = io.BytesIO()
        soundfile.write(file, waveform, rate, format="WAV", subtype="PCM_16")
        return file.getvalue()

    return make
