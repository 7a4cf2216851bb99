"""For all tests: one thread and no waiting for the disk, so that they are quick; one hypothesis profile."""

from __future__ import annotations

import os

import pytest
import torch
from hypothesis import HealthCheck, settings

# Without deadlines: a busy machine is no fault of the code. ``too_slow`` is a deadline on the making of examples.
settings.register_profile("vqspeech", deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("vqspeech")


@pytest.fixture(autouse=True)
def _no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a loss of power could tell the difference."""
    monkeypatch.setattr(os, "fsync", lambda _file: None)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Whatever a command before was told: a forked process waits for ever for the threads of the one it came from."""
    torch.set_num_threads(1)
