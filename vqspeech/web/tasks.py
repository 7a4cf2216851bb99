"""What a worker does for the page, each job with its files in a folder: ``source.f32`` in, ``result.wav`` out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

import vqspeech
from vqspeech import audio
from vqspeech.api import Model
from vqspeech.errors import InputError
from vqspeech.files import path_in
from vqspeech.generation.code_sampling import sample_codes
from vqspeech.generation.postfilter import STRENGTH
from vqspeech.model.packaged import model_name
from vqspeech.model.prior import Prior
from vqspeech.model.prior.checkpoint import load_prior
from vqspeech.new_voice import STEPS, require_name, save_voice, speech_of
from vqspeech.training.adaptation import VoiceFit
from vqspeech.web.colours import code_colours
from vqspeech.web.decoding import load_samples
from vqspeech.web.voices import own_voices
from vqspeech.web.worker import Order, Progress, Settings

if TYPE_CHECKING:
    from vqspeech.aligners import Aligner

#: Names of a job's files.
SOURCE, RESULT = "source.f32", "result.wav"
#: Seconds of a recording that is gone on from, at most.
LONGEST_PROMPT = 60
#: Seconds for which a single code is spoken.
_CODE_SECONDS = 0.4


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
        self.prior = self._load_prior()
        self._own: tuple[tuple[Path, int], Model] | None = None  # the new voice that was used last
        self._aligner: Aligner | None = None

    def _load(self, folder: str | Path | None) -> Model:
        names = ("engine", "precision", "threads", "device")
        return vqspeech.load(folder, **{name: self.settings[name] for name in names})

    def _load_prior(self) -> Prior | None:
        """The prior inside the model; None where there is none that fits."""
        try:
            return load_prior(self.model.folder, made_by=self.model.code_info.checksum)
        except InputError:
            return None

    def describe(self) -> dict[str, Any]:
        """What the page must know of the model."""
        config = self.model.network.config
        return {
            "model": model_name(self.model.folder),
            "engine": f"{self.model.engine.name}, {self.model.engine.precision}",
            "speakers": list(self.model.speakers),
            "sample_rate": self.model.sample_rate,
            "pitch": config.conditioner.pitch,
            "codes": config.quantizer.codes,
            "code_rate": config.code_rate,
            "post_filter": STRENGTH,
            "prior": self.prior is not None,
            "colours": code_colours(self.model.network.quantizer.codebook),
        }

    def run(self, order: Order, progress: Progress) -> dict[str, Any]:
        """Do a job.

        Args:
            order: what, with which options, in which folder.
            progress: called with how far it is.

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
        model = self.model_of(speaker)
        model.voice(speaker)
        progress(0, 1, "encoding")
        waveform = model.read(load_samples(folder / SOURCE))
        progress(0, 1, "encoding")
        codes, pitch = model.adapt(waveform, speaker, f0=f0, f0_shift=f0_shift)
        model.post_filter = STRENGTH if post_filter is None else post_filter
        spoken = model.decode(
            codes, speaker, pitch=pitch, seed=seed, temperature=temperature, progress=_stage(progress, "speaking")
        )
        return self._written(folder, spoken[: len(waveform)])

    def _units(self, folder: Path, progress: Progress, *, text: str) -> dict[str, Any]:
        model = self.model
        progress(0, 1, "encoding")
        recording = load_samples(folder / SOURCE)
        codes = model.encode_waveform(model.read(recording))
        found: dict[str, Any] = {"codes": codes.tolist(), "period": 1 / model.network.config.code_rate}
        if text.strip():
            progress(0, 1, "aligning the text")
            found |= self._aligned(recording, text)
        return found

    def _aligned(self, recording: NDArray[np.float32], text: str) -> dict[str, Any]:
        """Words and phones of a text in time, or a line that says why there are none."""
        from vqspeech.aligners.pocketsphinx import RATE, Aligner, AlignmentFailure

        self._aligner = self._aligner or Aligner()
        try:
            aligned = self._aligner.align(audio.resample(recording, self.model.sample_rate, RATE), text)
        except AlignmentFailure as failure:
            return {"note": f"no phones: {failure}"}
        return {"phones": [list(phone) for phone in aligned.phones], "words": [list(word) for word in aligned.words]}

    def _code(self, folder: Path, progress: Progress, *, code: int, speaker: str) -> dict[str, Any]:
        model = self.model_of(speaker)
        count = max(1, round(_CODE_SECONDS * model.network.config.code_rate))
        model.post_filter = STRENGTH
        return self._written(folder, model.decode([code] * count, speaker, progress=_stage(progress, "speaking")))

    def _sample(self, folder: Path, progress: Progress, *, speaker: str, goes_on: bool, **given: Any) -> dict[str, Any]:
        model, prior = self.model_of(speaker), self.prior
        if prior is None or model.code_info.checksum != self.model.code_info.checksum:
            raise InputError("there is no prior over the codes of this model", hint="vqspeech train-prior trains one")
        prompt = np.zeros(0, np.int32)
        if goes_on:
            recording = model.read(load_samples(folder / SOURCE))
            if len(recording) > LONGEST_PROMPT * model.sample_rate:
                raise InputError(f"longer than {LONGEST_PROMPT} s, too long to go on from", hint="cut it")
            prompt = model.encode_waveform(recording)
        rate = model.network.config.code_rate
        drawn = sample_codes(
            prior,
            length=max(1, round(given["seconds"] * rate)),
            speaker=speaker,
            prompt=prompt,
            seed=given["seed"],
            temperature=given["temperature"],
            top_p=given["top_p"],
            progress=_stage(progress, "drawing codes"),
        )[0]
        model.post_filter = STRENGTH
        spoken = model.decode(
            np.concatenate([prompt, drawn]), speaker, seed=given["seed"], progress=_stage(progress, "speaking")
        )
        return {**self._written(folder, spoken), "prompt_seconds": len(prompt) / rate}

    def _adapt(self, folder: Path, progress: Progress, *, speaker: str) -> dict[str, Any]:
        require_name(speaker)
        model, target = self.model, path_in(self.settings["voices"], speaker)
        if speaker in model.speakers or target.exists():
            raise InputError(f"there is a voice {speaker!r} already", hint="choose another name")
        progress(0, 1, "encoding")
        speech = speech_of(model, [model.read(load_samples(folder / SOURCE))])
        fit = VoiceFit(model.network, speech, [model.encode_waveform(waveform) for waveform in speech])
        progress(0, 1, "finding the nearest voice")
        fitted = fit.run(steps=STEPS, stepped=_stage(progress, "learning"))
        base = f"`{self.settings['model']}`" if self.settings["model"] else "the packaged model"
        save_voice(model, speaker, speech, fit, fitted, target, base=base)
        return {
            "speaker": speaker,
            "seconds": fit.seconds,
            "nearest": fitted.nearest,
            "before": fitted.before,
            "after": fitted.after,
        }

    def model_of(self, voice: str) -> Model:
        """The model that has a voice: that of the server, or one with a new voice.

        Raises:
            InputError: two new voices, which are of two models, shall be blended.
        """
        named = {part.strip().rpartition(":")[0] or part.strip() for part in voice.split(",")} | {voice}
        own = named & set(own_voices(self.settings["voices"]))
        if len(own) > 1:
            raise InputError("a blend can have one new voice at most", hint="blend it with voices of the model")
        if not own:
            return self.model
        folder = path_in(self.settings["voices"], own.pop())
        state = (folder, folder.stat().st_mtime_ns)
        if self._own is None or self._own[0] != state:
            self._own = (state, self._load(folder))
        return self._own[1]

    def _written(self, folder: Path, waveform: NDArray[np.float32]) -> dict[str, Any]:
        audio.write(folder / RESULT, waveform, self.model.sample_rate)
        return {"seconds": len(waveform) / self.model.sample_rate}


def _stage(progress: Progress, what: str) -> Callable[[int, int], None]:
    """Progress of a part of a job."""
    return lambda done, total: progress(done, total, what)
