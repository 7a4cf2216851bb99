"""Copies of recordings that a model says in its other voices, for a pack: what the next model learns from."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vqspeech.errors import InputError

if TYPE_CHECKING:
    from vqspeech.api import Model


class AnotherVoice:
    """Convert recordings to voices drawn at random.

    A model that learns to say the original from the codes of such a copy meets what it meets when it converts: codes
    that another throat left its mark on (Neekhara et al. 2023, "SelfVC", learn from their own conversions so).

    Args:
        model: its folder; the packaged model if not given.
        sample_rate: of the recordings, in Hz.

    Raises:
        InputError: there is no such model, it has a single voice, or (when it is first used) another sample rate.
    """

    def __init__(self, model: Path | None, *, sample_rate: int) -> None:
        from vqspeech.model.checkpoint import PRETRAINED, checksum, model_folder, read_speakers

        self.folder = model_folder(PRETRAINED if model is None else model)
        self.name = checksum(self.folder)
        self.sample_rate = sample_rate
        self.speakers = read_speakers(self.folder)
        if len(self.speakers) < 2:
            raise InputError("has a single voice", where=self.folder, cure="convert with a model of several")

    @cached_property
    def model(self) -> Model:
        """The model; each process loads it for itself, for torch's threads do not survive a fork."""
        import torch

        import vqspeech

        torch.set_num_threads(1)
        model = vqspeech.load(self.folder, precision="int8")
        if model.sample_rate != self.sample_rate:
            raise InputError(
                f"speaks at {model.sample_rate} Hz, and the pack is to have {self.sample_rate}",
                where=self.folder,
                cure=f"vqspeech pack --sample-rate {model.sample_rate}",
            )
        return model

    def __call__(self, waveform: NDArray[np.float32], speaker: str, rng: np.random.Generator) -> NDArray[np.float32]:
        """``(samples,)`` at the model's rate -> as many samples, in a voice other than ``speaker``."""
        voice = str(rng.choice([name for name in self.speakers if name != speaker]))
        return self.model.convert(waveform, voice, seed=int(rng.integers(2**31)))
