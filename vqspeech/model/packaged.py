"""The models that come with the package, and how they are found by name.

``default`` lies in ``vqspeech/pretrained/`` itself, every other in a folder of its name there. A name goes before a
path: a folder of the user's that is called like a packaged model is written ``./units``. ``hf://owner/name`` is a
repository of the Hugging Face Hub (``vqspeech.model.hub``), which is asked for in no other case. An experiment stands
for its best model.
"""

from __future__ import annotations

import os
from pathlib import Path

from vqspeech.errors import InputError
from vqspeech.model import hub

#: The packaged model that is used where none is named, and the folder of all others.
PRETRAINED = Path(__file__).parent.parent / "pretrained"
DEFAULT = "default"
#: What each is for, in a few words.
PURPOSES = {
    DEFAULT: "voice conversion: speech to codes and back, in 31 voices",
    "units": "units near to phones, for phoneme reports, language models, search; no voices",
}


def packaged_models() -> dict[str, Path]:
    """Name -> model directory, the default first."""
    others = {
        folder.name: folder
        for folder in sorted(PRETRAINED.iterdir())
        if folder.is_dir() and (folder / "model.safetensors").is_file()
    }
    return {DEFAULT: PRETRAINED} | others


def model_name(folder: Path) -> str:
    """The name of a packaged model, else that of the folder."""
    return next((name for name, packaged in packaged_models().items() if packaged == folder), folder.name)


def find_model(model: str | os.PathLike[str] | None) -> Path:
    """The folder that is meant by a name or a path; nothing is read there, but one of the Hub is fetched.

    Args:
        model: a string that is the name of a packaged model means that, one that begins with ``hf://`` a repository,
            any other string and every ``Path`` a folder; None means the default.

    Raises:
        InputError: a repository cannot be fetched, or a string is neither a name nor a path of anything.
    """
    if model is None:
        return PRETRAINED
    if not isinstance(model, str):
        return Path(model)
    if model.startswith(hub.PREFIX):
        repository, revision = hub.parse_address(model)
        return hub.download(repository, revision=revision)
    packaged = packaged_models()
    if model not in packaged and (not model or not Path(model).exists()):
        raise InputError(
            "no model of this name, and no such folder",
            where=model or "''",
            hint=f"packaged are {', '.join(packaged)}; else give a model directory, an experiment or hf://owner/name",
        )
    return packaged.get(model, Path(model))


def best_of(folder: Path) -> Path:
    """The best model of the experiment that ``folder`` is; itself if it is a model directory, or neither."""
    best = folder / "checkpoints" / "best"
    return best if best.is_dir() and not (folder / "model.safetensors").exists() else folder
