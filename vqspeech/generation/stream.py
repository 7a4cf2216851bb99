"""Streaming generation: samples come out while codes still come in."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqspeech import ranges
from vqspeech.errors import InputError
from vqspeech.generation.engine import Engine
from vqspeech.generation.sampler import make_engine
from vqspeech.generation.uniforms import Uniforms
from vqspeech.model.speaker_conditioning import Voice
from vqspeech.model.vqvae import VQVAE


class Generator:
    """Streaming generation in one voice.

    The conditioning network looks ``delay`` codes ahead, so the samples of a code come when so many further codes are
    known. However the codes are cut into calls, the samples are the same. They are as drawn: the post-filter, which
    looks at whole utterances, is not for streams.

    Args:
        network: in evaluation mode.
        voice: index of a speaker, or what ``network.voice`` gave, such as a blend of several.
        seed: of the uniform numbers that samples are drawn with.
        temperature: divides the logits; 0 takes the most likely class.
        engine: made of ``network.decoder``; made here with ``make_engine`` if not given.

    Attributes:
        delay: codes that are pushed before the first samples come.

    Example:
        >>> generator = Generator(network, voice=0)
        >>> for code in codes:
        ...     play(generator.push(code))
        >>> play(generator.finish())
    """

    def __init__(
        self,
        network: VQVAE,
        voice: int | Voice,
        *,
        seed: int = 0,
        temperature: float = 1.0,
        engine: Engine | None = None,
    ) -> None:
        if isinstance(voice, int) and not 0 <= voice < len(network.speakers):
            raise InputError(f"no speaker {voice}", hint=f"choose one from 0 to {len(network.speakers) - 1}")
        self.delay = network.conditioner.context
        self._network = network
        self._voice = network.voice({voice: 1.0}) if isinstance(voice, int) else voice
        ranges.SEED.check(seed, "seed")
        ranges.TEMPERATURE.check(temperature, "temperature")
        self._temperature = temperature if temperature >= ranges.LEAST_TEMPERATURE else 0.0
        self._session = (engine or make_engine(network.decoder)).open(1)
        self._uniforms = Uniforms(seed)
        self._restored = network.companding.stream()
        self._codes: list[int] = []  # from the first in the context of the next one to generate
        self._behind = 0  # how many of them are spoken
        self._finished = False

    def push(self, *codes: int) -> NDArray[np.float32]:
        """Take codes, and generate those whose context is complete.

        Args:
            codes: one or more.

        Returns:
            ``(samples,)``, in the end ``code_hop`` for each code; none while the delay lasts. A decoder of several
            bands gives them later by the overlap of its filter bank, 2 ms of 4 bands at 16 kHz.

        Raises:
            InputError: a code is not in the codebook, or the generator is finished.
        """
        if self._finished:
            raise InputError("this generator is finished", hint="make a new one")
        size = self._network.config.quantizer.codes
        for code in codes:
            if not 0 <= code < size:
                raise InputError(f"code {code}", hint=f"this model has codes from 0 to {size - 1}")
        self._codes.extend(int(code) for code in codes)
        return self._speak(len(self._codes) - self.delay)

    def finish(self) -> NDArray[np.float32]:
        """Generate the last ``delay`` codes, which nothing follows, and all that is left; ``(samples,)``."""
        self._finished = True
        return np.concatenate([self._speak(len(self._codes)), self._restored.finish()])

    def _speak(self, until: int) -> NDArray[np.float32]:
        """Generate the codes before index ``until``."""
        chunks = [np.zeros(0, np.float32)]
        while self._behind < until:
            chunks.append(self._waveform(self._frames(self._codes[: self._behind + 1 + self.delay])))
            self._behind += 1
            if self._behind > self.delay:
                del self._codes[0]
                self._behind -= 1
                until -= 1
        return np.concatenate(chunks)

    @torch.no_grad()
    def _frames(self, window: list[int]) -> Tensor:
        """Conditioning of the next code, ``(1, frames per code, layers, 2 gate)``, from its whole context.

        Windows of one size, one code at a time: then rounding is the same however codes are pushed.
        """
        network = self._network
        device = network.device
        values = network.quantizer.lookup(torch.tensor([window], device=device))  # (1, dimension, codes)
        frames = self._voice.frames(values)  # (1, frames, channels)
        first = self._behind * network.conditioner.frames_per_code
        return self._voice.conditioning(frames[:, first : first + network.conditioner.frames_per_code])

    def _waveform(self, layers: Tensor) -> NDArray[np.float32]:
        samples = self._network.config.code_hop
        classes = self._session.push(layers, self._uniforms.draw(samples)[None], self._temperature)
        return self._restored.push(torch.from_numpy(classes[0]))
