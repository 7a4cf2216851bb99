"""For all tests: one thread and no waiting for the disk, so that they are quick; one hypothesis profile."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

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


@pytest.fixture
def full_disk() -> Callable[[], AbstractContextManager[None]]:
    """A context in which no file can grow beyond 4096 bytes, which a program is told of as of a full disk."""
    resource = pytest.importorskip("resource")

    @contextmanager
    def limited() -> Iterator[None]:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limited
