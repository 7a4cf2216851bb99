"""The folder of voices made on the page: a model directory for each, by the voice's name."""

from __future__ import annotations

from pathlib import Path

from vqspeech.files import name_fault


def own_voices(folder: str | None) -> list[str]:
    """Names of the voices in ``folder``, which need not be there; of no folder, none."""
    if folder is None:
        return []
    try:
        found = [entry.name for entry in Path(folder).iterdir() if (entry / "model.safetensors").is_file()]
    except FileNotFoundError:
        return []
    return sorted(name for name in found if not name.startswith(".") and not name_fault(name))
