"""Entry points for ``torch.hub.load("PATH OR OWNER/REPOSITORY", ENTRY)``: the models that come with the package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vqspeech.api import Model

dependencies = ["torch", "numpy", "soundfile", "soxr", "msgspec", "yaml", "safetensors", "parselmouth", "tqdm"]


def vqspeech(**options: Any) -> Model:
    """The default model: voice conversion, speech to codes and back.

    >>> model = torch.hub.load(".", "vqspeech", source="local")
    >>> waveform = model.convert("a.wav", speaker="p225")  # (samples,) float32 at 16 kHz

    Args:
        options: of ``vqspeech.load``, such as ``device="cuda"``.
    """
    return _load("default", options)


def vqspeech_units(**options: Any) -> Model:
    """The unit model: 256 units near to phones at 50 Hz, without voices.

    >>> units = torch.hub.load(".", "vqspeech_units", source="local").encode("a.wav")  # (frames,) int32

    Args:
        options: of ``vqspeech.load``.
    """
    return _load("units", options)


def _load(name: str, options: dict[str, Any]) -> Model:
    from vqspeech.api import load

    return load(name, **options)
