"""Small segments and few steps, on a tiny model."""

from __future__ import annotations

import pytest
from small_models import make_model

from vqspeech.model.vqvae import VQVAE
from vqspeech.training.adaptation import fit, segments


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "CROP", 256)
    monkeypatch.setattr(segments, "BATCH", 2)
    monkeypatch.setattr(fit, "EVALUATE_EVERY", 2)


@pytest.fixture(scope="module")
def network() -> VQVAE:
    return make_model().eval()
