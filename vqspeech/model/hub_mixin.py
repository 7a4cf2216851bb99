"""What huggingface_hub's ``ModelHubMixin`` asks of a model: how it is saved as files, loaded from them and described.

``vqspeech.Model`` uses it (``save_pretrained``, ``push_to_hub``) when asked to, so that the package needs
huggingface_hub for nothing else.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import ModelCard, ModelCardData, ModelHubMixin

from vqspeech.counts import counted
from vqspeech.errors import decoding
from vqspeech.model import hub
from vqspeech.model.checkpoint import copy_model, load_model, model_folder, save_model
from vqspeech.model.packaged import model_name
from vqspeech.model.vqvae import VQVAE

_USE = """
```python
import vqspeech  # pip install 'vqspeech[hub]'

model = vqspeech.Model.from_pretrained("OWNER/NAME")
codes = model.encode("recording.wav")
```
"""


# huggingface_hub may be absent: its types are never looked at.
class HubModel(  # type: ignore[call-arg]
    ModelHubMixin,  # type: ignore[misc]
    library_name="vqspeech",
    tags=["speech", "discrete-units", "vq-vae"],
    paper_url="https://arxiv.org/abs/1711.00937",
):
    """A network and the model directory it was read from.

    Args:
        network: in evaluation mode.
        folder: its directory.
    """

    def __init__(self, network: VQVAE, folder: Path) -> None:
        self.network = network
        self.folder = folder

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | os.PathLike[str], **options: Any) -> HubModel:
        """A model directory, or a repository's, whose ``config.json`` is left unread: nothing in it is needed.

        Args:
            pretrained_model_name_or_path: a folder, else ``owner/name``.
            options: as for ``vqspeech.model.hub.download``.

        Raises:
            InputError: as ``vqspeech.model.hub.download`` and ``load_model``.
        """
        given = Path(pretrained_model_name_or_path)
        folder = given if given.is_dir() else hub.download(str(pretrained_model_name_or_path), **options)
        folder = model_folder(folder)
        return cls(load_model(folder), folder)

    def _save_pretrained(self, save_directory: Path) -> None:
        """Write the files of the model; the card is the mixin's to write."""
        if _same(load_model(self.folder), self.network):
            copy_model(self.folder, save_directory)  # the same bytes, so that checksums stay
        else:
            save_model(self.network, save_directory)

    def generate_model_card(self, **metadata: Any) -> ModelCard:
        """The card that the model has, or else a few facts, behind what the Hub sorts models by.

        Args:
            metadata: further or other fields of the card's head, such as ``license="cc-by-4.0"``.

        Raises:
            InputError: the head of the model's own card cannot be read.
        """
        card = self.folder / "README.md"
        with decoding("not the card of a model", where=card, hint="mend what stands between its lines of ---"):
            text = card.read_text(encoding="utf-8") if card.is_file() else self._facts()
            head: dict[str, Any] = dict(self._hub_mixin_info.model_card_data.to_dict())
            head["pipeline_tag"] = "audio-to-audio" if self.network.speakers else "feature-extraction"
            if text.startswith("---"):
                own = ModelCard(text)
                head, text = head | own.data.to_dict(), own.text
            return ModelCard(f"---\n{ModelCardData(**(head | metadata)).to_yaml()}\n---\n\n{text.lstrip()}")

    def _facts(self) -> str:
        config, voices = self.network.config, len(self.network.speakers)
        return (
            f"# {model_name(self.folder)}\n\nA model of vqspeech: {config.code_rate:g} codes per second out of "
            f"{config.quantizer.codes}, audio at {config.audio.sample_rate} Hz, {counted(voices or 'no', 'voice')}. "
            f"What it was trained on, and whose voices they are, has not been written down.\n{_USE}"
        )


def _same(one: VQVAE, other: VQVAE) -> bool:
    """Whether two networks hold the same numbers."""
    first, second = one.state_dict(), other.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name].cpu()) for name in first)
