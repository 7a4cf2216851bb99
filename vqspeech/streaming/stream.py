"""Conversion of a stream: waveform in by chunks of any size, waveform out with a bounded, stated delay.

A step is ``CODES_PER_STEP`` codes: as soon as the samples are there on which they depend (their own, and the encoder's
look-ahead), they are quantised; as soon as the codes are there on which a frame of conditioning depends, its samples
are drawn. Every operation works on the samples of one step, whatever the sizes of the chunks, so that rounding is the
same, too. One code a step would delay the stream by a code less; but most of the time goes into reading the weights,
which is the same for one code and for two.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from vqspeech import ranges
from vqspeech.errors import InputError
from vqspeech.generation.engine import Engine
from vqspeech.generation.uniforms import Uniforms
from vqspeech.model.conditioner import PITCH_FEATURES
from vqspeech.model.frequency_warp import f0_factor
from vqspeech.model.vqvae import VQVAE
from vqspeech.pitch import SEMITONE, TYPICAL_DEVIATION, Intonation
from vqspeech.streaming.codes import StreamedQuantizer
from vqspeech.streaming.conditioner import StreamedVoice, look_ahead, pitch_lag
from vqspeech.streaming.encoder import StreamedEncoder
from vqspeech.streaming.layers import Layers
from vqspeech.streaming.level import RunningLevel
from vqspeech.streaming.pitch import RunningPitch
from vqspeech.streaming.postfilter import StreamedPostFilter

#: Codes that are made together.
CODES_PER_STEP = 2
#: Seconds that the post-filter may hold speech back: what it sees of the frame that it filters, and of the next ones.
POST_FILTER_DELAY = 0.012
#: Seconds of codes that ``Stream.codes`` keeps.
_KEPT_SECONDS = 10


class Stream:
    """A conversion that goes on. Make one with ``vqspeech.Model.stream``.

    What offline conversion takes over the whole recording has a causal form: the level (``streaming.level``), mean and
    deviation of the log-mel bands (``streaming.encoder``), mean and deviation of log-F0 (``streaming.pitch``), the mean
    of the encoder's vectors (``streaming.codes``), the post-filter (``streaming.postfilter``).

    Args:
        network: in evaluation mode.
        engine: made of ``network.decoder``.
        blend: parses a voice into shares of speakers, and raises InputError where there is none of it.
        speaker: the voice at first.
        f0: intonation: ``source``, ``flat``, or ``target`` for the model's own.
        f0_shift: semitones.
        seed: of the uniform numbers that samples are drawn with.
        temperature: divides the logits.
        post_filter: strength of the post-filter; 0 for none, and 12 ms less of latency.

    Attributes:
        latency: seconds from a sample to the one that stands for it, at most: sample ``i`` of the output is there when
            ``i + latency x sample_rate`` samples have been pushed.
        sample_rate: of what goes in and comes out, in Hz.
        codes: of the last ten seconds, the newest last.
    """

    def __init__(
        self,
        network: VQVAE,
        engine: Engine,
        blend: Callable[[str], Mapping[int, float]],
        speaker: str,
        *,
        f0: Intonation = "source",
        f0_shift: float = 0.0,
        seed: int = 0,
        temperature: float = 1.0,
        post_filter: float = 0.0,
    ) -> None:
        ranges.SHARE.check(post_filter, "post_filter")
        ranges.SEED.check(seed, "seed")
        ranges.TEMPERATURE.check(temperature, "temperature")
        ranges.SEMITONES.check(f0_shift, "f0_shift")
        config, conditioner = network.config, network.conditioner
        self._network, self._blend = network, blend
        self._device = network.device
        self.sample_rate = config.audio.sample_rate
        self._step_length = CODES_PER_STEP * config.code_hop
        self._temperature = temperature if temperature >= ranges.LEAST_TEMPERATURE else 0.0
        self._f0, self._f0_shift = f0, f0_shift

        self._level = RunningLevel(self.sample_rate, self._step_length, config.audio.rms)
        self._layers = Layers(native=engine.name == "native", half=engine.precision != "fp32")
        self._encoder = StreamedEncoder(network, self._layers)
        self._quantizer = StreamedQuantizer(network)
        self._pitch = None
        if config.conditioner.pitch and (f0 != "target" or config.encoder.f0_warp):
            self._pitch = RunningPitch(self.sample_rate, config.conditioner.hop, config.audio.rms)
        self._pitch_lag = pitch_lag(conditioner)
        # What a voice that comes in the middle has to be given first: all that its next frames depend on.
        kept = sum(conditioner.reach) + 1
        self._values: deque[Tensor] = deque(maxlen=kept)  # of each step, (codes, dimension)
        self._pitches: deque[Tensor] = deque(maxlen=kept)  # of each step, (frames, 3), of codes pitch_lag before

        self._session = engine.open(1)
        self._uniforms = Uniforms(seed)
        self._restored = network.companding.stream()

        self._post_filter = None
        if post_filter and config.conditioner.mel_bands:
            self._post_filter = StreamedPostFilter(
                sample_rate=self.sample_rate,
                hop=config.conditioner.hop,
                bands=config.conditioner.mel_bands,
                strength=post_filter,
                behind=self._bank_delay,
                held=round(POST_FILTER_DELAY * self.sample_rate / config.conditioner.hop),
            )

        ahead = network.encoder.reach[1]
        frame_ahead = look_ahead(conditioner) * config.conditioner.hop
        self._latency = ahead + self._step_length + frame_ahead + self._bank_delay
        if self._post_filter is not None:
            self._latency += self._post_filter.delay
        self.latency = self._latency / self.sample_rate
        self.codes: deque[int] = deque(maxlen=round(_KEPT_SECONDS * config.code_rate))

        # The first step ends where look-ahead and whole steps do; all others are of one length.
        self._due = ahead % self._step_length or self._step_length
        self._pending: list[NDArray[np.float32]] = []
        self._held = self._pushed = self._given = 0
        self._coded = 0
        self._finished = False
        self._speaker = speaker
        self._wanted: str | None = None
        self._set_voice(speaker)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._finished = True

    @property
    def _bank_delay(self) -> int:
        bank = getattr(self._network.companding, "bank", None)
        return 0 if bank is None else int(bank.overlap)

    @property
    def speaker(self) -> str:
        """The voice: one of the model's speakers, or a blend ``NAME:WEIGHT,NAME:WEIGHT``.

        Another one may be set at any time, from any thread. It holds from the next push on, for all that is quantised
        and drawn from there, as though the codes so far had been drawn in it, too.

        Raises:
            InputError: an unknown speaker or a bad blend.
        """
        return self._speaker if self._wanted is None else self._wanted

    @speaker.setter
    def speaker(self, speaker: str) -> None:
        self._blend(speaker)
        self._wanted = speaker

    @property
    def frozen(self) -> bool:
        """Whether running statistics stay as they are, for one speaker with one microphone once they are good."""
        return self._level.frozen

    @frozen.setter
    def frozen(self, frozen: bool) -> None:
        for part in (self._level, self._encoder, self._quantizer, self._pitch):
            if part is not None:
                part.frozen = frozen

    @torch.inference_mode()
    def enrol(self, waveform: ArrayLike) -> None:
        """Begin with the level, the moments and the pitch of a recording of whoever is going to speak.

        Args:
            waveform: ``(samples,)`` at ``sample_rate``; five seconds of speech are enough.

        Raises:
            InputError: as ``push``, or the stream has begun.
        """
        samples = self._checked(waveform)
        if self._pushed:
            raise InputError("this stream has begun", hint="enrol before the first push")
        levelled, speech = self._level.enrol(samples)
        if self._pitch is not None:
            self._pitch.enrol(levelled)
        self._encoder.enrol(levelled, speech, warp=self._warp)

    @torch.inference_mode()
    def push(self, waveform: ArrayLike) -> NDArray[np.float32]:
        """Take the next samples, and give those that are due.

        Args:
            waveform: ``(samples,)`` in full scale 1, at ``sample_rate``; any number of them, also none.

        Returns:
            ``(samples,)`` float32, in the end one for each that was pushed; none while ``latency`` lasts.

        Raises:
            InputError: another shape, NaN or infinite samples, or the stream is finished.
        """
        samples = self._checked(waveform)
        self._change_voice()
        self._pushed += len(samples)
        made = self._run(samples)
        self._given += len(made)
        return made

    @torch.inference_mode()
    def finish(self) -> NDArray[np.float32]:
        """End the stream: what is left, as though silence followed; ``(samples,)``.

        Raises:
            InputError: the stream is finished already.
        """
        rest = self._checked(np.zeros(self._latency, np.float32))
        self._change_voice()
        self._finished = True
        made = self._run(rest)[: self._pushed - self._given]
        self._given += len(made)
        return made

    def _checked(self, waveform: ArrayLike) -> NDArray[np.float32]:
        if self._finished:
            raise InputError("this stream is finished", hint="make a new one")
        samples = np.asarray(waveform, np.float32)
        if samples.ndim != 1:
            raise InputError(f"a waveform of shape {samples.shape}", hint="give one channel: (samples,)")
        if not np.isfinite(samples).all():
            raise InputError("a waveform with NaN or infinite samples", hint="mend it")
        return samples

    def _run(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Make all steps for which there are samples."""
        chunks = [np.zeros(0, np.float32)]
        place = 0
        while self._held + len(samples) - place >= self._due:
            end = place + self._due - self._held
            step = np.concatenate([*self._pending, samples[place:end]])
            self._pending, self._held, self._due, place = [], 0, self._step_length, end
            chunks.append(self._step(step))
        if place < len(samples):
            self._pending.append(samples[place:].copy())
            self._held += len(samples) - place
        return np.concatenate(chunks)

    def _step(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take the samples of a step, and give those of the frames whose context they complete."""
        levelled = self._level.push(samples)
        if self._pitch is not None:
            self._pitch.push(levelled)
        vectors = self._encoder.push(levelled, speech=self._level.speech, warp=self._warp)  # (codes, dimension)
        if not len(vectors):
            return np.zeros(0, np.float32)
        codes = self._quantizer.push(vectors, speech=self._level.speech)  # (codes,)
        self.codes.extend(codes.tolist())
        values = self._network.quantizer.lookup(codes[None])[0].t()  # (codes, dimension)
        pitch = self._next_pitch(len(codes))
        self._values.append(values)
        self._pitches.append(pitch)
        self._coded += len(codes)
        frames = self._voice.push(values, self._shifted(pitch))  # (frames, channels)
        if not len(frames):
            return np.zeros(0, np.float32)
        layers = self._voice.conditioning(frames)[None]  # (1, frames, layers, 2 gate)
        numbers = self._uniforms.draw(len(frames) * self._network.config.conditioner.hop)
        classes = self._session.push(layers, numbers[None], self._temperature)[0]
        speech = self._restored.push(torch.from_numpy(classes))
        if self._post_filter is None:
            return speech
        return self._post_filter.push(speech, self._voice.mel(frames))

    @property
    def _warp(self) -> float:
        """Factor on the frequency axis that brings the F0 so far to the voice's, see ``model.frequency_warp``."""
        share = self._network.config.encoder.f0_warp
        if not share or self._pitch is None or self._target_f0 is None:
            return 1.0
        return f0_factor(self._pitch.statistics.mean, self._target_f0, share)

    def _next_pitch(self, codes: int) -> Tensor:
        """Pitch of the codes whose turn it is as ``codes`` more are there, ``(codes whose turn it is x frames, 3)``."""
        scale = self._network.conditioner.frames_per_code
        begin, end = (max(0, code - self._pitch_lag) * scale for code in (self._coded, self._coded + codes))
        if self._pitch is None or end == begin:
            return torch.zeros(end - begin, PITCH_FEATURES, device=self._device)
        frames = self._pitch.frames(begin, end - begin)
        if self._f0 == "target":
            frames[:] = 0
        if self._f0 == "flat":
            frames[:, 0] = 0
        return torch.from_numpy(frames).to(self._device)

    def _shifted(self, pitch: Tensor) -> Tensor:
        """Pitch moved by ``f0_shift``, in deviations of the voice."""
        if not self._f0_shift:
            return pitch
        moved = pitch.clone()
        moved[:, 0] += self._semitones * pitch[:, 1]
        return moved

    def _change_voice(self) -> None:
        wanted, self._wanted = self._wanted, None
        if wanted is not None and wanted != self._speaker:
            self._set_voice(wanted)

    def _set_voice(self, speaker: str) -> None:
        """Draw in this voice from now on."""
        self._speaker, shares = speaker, self._blend(speaker)
        self._quantizer.set_voice(shares)
        self._target_f0 = self._network.speaker_stats.log_f0(shares)
        deviation = float(self._network.speaker_stats.blended(shares).pitch[1])
        self._semitones = self._f0_shift * SEMITONE / (deviation or TYPICAL_DEVIATION)
        self._voice = StreamedVoice(self._network.voice(shares), self._layers)
        if self._values:
            # Its frames so far were drawn in another voice; it only has to come to where that one is.
            values, pitch = torch.cat([*self._values]), torch.cat([*self._pitches])
            turns = max(0, len(values) - self._pitch_lag) * self._network.conditioner.frames_per_code
            self._voice.push(values, self._shifted(pitch[len(pitch) - turns :]))
