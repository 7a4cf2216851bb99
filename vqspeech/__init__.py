"""Discrete units of speech and voice conversion without labels: VQ-VAE with a WaveNet decoder.

>>> import vqspeech
>>> model = vqspeech.load()                                   # the model in the package
>>> waveform = model.convert("a.wav", speaker="p225")         # (samples,) float32 at 16 kHz
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["InputError", "Model", "__version__", "load"]

if TYPE_CHECKING:
    from vqspeech.api import Model, load
    from vqspeech.errors import InputError


def __getattr__(name: str) -> Any:
    # torch takes a second to import: only those who load a model wait for it, not `vqspeech --help`.
    if name in ("Model", "load"):
        from vqspeech import api

        return getattr(api, name)
    if name == "InputError":
        from vqspeech.errors import InputError

        return InputError
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
