"""The file that an interrupted run goes on from."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch

from vqspeech.files import atomic_open


def save_state(target: Path, state: dict[str, Any]) -> None:
    """Write a state for ``torch.load``, whole or not at all.

    Raises:
        OSError: the folder cannot be written or the disk is full; it names the file.
    """
    # In memory first: torch's own words for a full disk are no OSError.
    saved = io.BytesIO()
    torch.save(state, saved)
    with atomic_open(target, "wb") as file:
        file.write(saved.getbuffer())
