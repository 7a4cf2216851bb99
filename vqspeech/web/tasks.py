"""What a worker does for the page, each job with its files in a folder: ``source.f32`` in, ``result.wav`` out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import vqspeech
from vqspeech import audio
from vqspeech.api import Model
from vqspeech.generation.postfilter import STRENGTH
from vqspeech.web.decoding import load_samples
from vqspeech.web.worker import Order, Progress, Settings

#: Names of a job's files.
SOURCE, RESULT = "source.f32", "result.wav"


class Tasks:
    """The model and what is done with it.

    Args:
        settings: ``model`` (a folder or None), ``engine``, ``precision``, ``threads``, ``device``, as ``vqspeech.load``
            takes them, and ``voices``, the folder of new voices, or None.

    Raises:
        InputError: the model cannot be loaded.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        torch.set_num_threads(settings["threads"])
        self.model = self._load(settings["model"])

    def _load(self, folder: str | Path | None) -> Model:
        names = ("engine", "precision", "threads", "device")
        return vqspeech.load(folder, **{name: self.settings[name] for name in names})

    def describe(self) -> dict[str, Any]:
        """What the page must know of the model."""
        config = self.model.network.config
        return {
            "model": self.model.folder.name,
            "engine": f"{self.model.engine.name}, {self.model.engine.precision}",
            "speakers": list(self.model.speakers),
            "sample_rate": self.model.sample_rate,
            "pitch": config.conditioner.pitch,
            "codes": config.quantizer.codes,
            "code_rate": config.code_rate,
            "post_filter": STRENGTH,
        }

    def run(self, order: Order, progress: Progress) -> dict[str, Any]:
        """Do a job.

        Args:
            order: what, with which options, in which folder.
            progress: told how far it is.

        Returns:
            What the page shows of it.

        Raises:
            InputError: what was asked for cannot be done.
        """
        task: Callable[..., dict[str, Any]] = getattr(self, f"_{order.kind}")
        return task(Path(order.folder), progress, **order.options)

    def _convert(
        self,
        folder: Path,
        progress: Progress,
        *,
        speaker: str,
        f0: Any,
        f0_shift: float,
        seed: int,
        temperature: float,
        post_filter: float | None,
    ) -> dict[str, Any]:
        model = self.model
        model.voice(speaker)
        progress(0, 1, "encoding")
        waveform = model.read(load_samples(folder / SOURCE))
        progress(0, 1, "encoding")
        pitch = model.pitch(waveform, speaker, f0=f0, f0_shift=f0_shift)
        progress(0, 1, "encoding")
        codes = model.encode_waveform(waveform, speaker)
        model.post_filter = STRENGTH if post_filter is None else post_filter
        spoken = model.decode(
            codes,
            speaker,
            pitch=pitch,
            seed=seed,
            temperature=temperature,
            progress=lambda done, total: progress(done, total, "speaking"),
        )
        return self._written(folder, spoken[: len(waveform)])

    def _written(self, folder: Path, waveform: NDArray[np.float32]) -> dict[str, Any]:
        audio.write(folder / RESULT, waveform, self.model.sample_rate)
        return {"seconds": len(waveform) / self.model.sample_rate}
