"""Cuts of long sequences after a tenth of a second, so that small models need not run for long."""

from __future__ import annotations

import pytest

from vqspeech.generation import chunks


@pytest.fixture
def brief_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is long is so already after a tenth of a second."""
    for name, seconds in {"SHORTEST": 0.03, "LONGEST": 0.06, "PAUSE": 0.01, "SETTLING": 0.01, "FADE": 0.002}.items():
        monkeypatch.setattr(chunks, name, seconds)
    monkeypatch.setattr("vqspeech.generation.synthesis.FADE", 0.002)
