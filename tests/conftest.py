"""For all tests: one thread and no waiting for the disk, so that they are quick; one hypothesis profile."""

from __future__ import annotations

import os

import pytest
import torch
from hypothesis import HealthCheck, settings

torch.set_num_threads(1)
# Without deadlines: a busy machine is no fault of the code. ``too_slow`` is a deadline on the making of examples.
settings.register_profile("vqspeech", deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("vqspeech")


@pytest.fixture(autouse=True)
def _no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a loss of power could tell the difference."""
    monkeypatch.setattr(os, "fsync", lambda _file: None)
