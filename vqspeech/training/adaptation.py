"""A new voice for a trained model, fitted to a minute of someone's speech, all its weights left as they are.

The codes of the recordings are what they are; only the decoder's conditioning depends on the speaker. The voice gets a
conditioning network of its own, which begins as the model's in the voice under which the recordings are likeliest, and
is learnt by gradient descent on their likelihood. Held-out speech decides when to stop (early stopping).
"""

from __future__ import annotations

import math
import pickle
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from vqspeech.errors import InputError
from vqspeech.files import save_checkpoint
from vqspeech.melspectrogram import log_mel
from vqspeech.model.speaker_conditioning import SpeakerAdapter, Voice, VoiceComponent
from vqspeech.model.vqvae import VQVAE
from vqspeech.pitch import PitchStatistics, frame_f0, relative, statistics

#: Share of the speech, its last part, that is held out, and the least that either part must have, in seconds.
HELD_OUT, LEAST_SECONDS = 1 / 6, 1.5
#: Samples that the decoder predicts of a segment, at least, and segments per step.
CROP, BATCH = 4096, 8
#: Most held-out segments, and segments by which the nearest voice is chosen.
HELD_OUT_SEGMENTS, NEAREST_SEGMENTS = 40, 8
#: Learning rates at first, of the speaker's vector and of all else.
VECTOR_RATE, RATE = 0.05, 5e-4
#: Of the mel head's error beside the nats per sample: the post-filter relies on the new voice's bands.
MEL_WEIGHT = 0.5
#: Share of the segments from which pitch is withheld, so that the voice needs none.
PITCH_DROPOUT = 0.3
#: Steps between two evaluations (and two checkpoints).
EVALUATE_EVERY = 20
#: Evaluations without a better one after which no more steps are taken.
PATIENCE = 3


@dataclass(frozen=True)
class Fitted:
    """What came of it.

    Attributes:
        adapter: the new voice.
        nearest: the voice that it began as.
        before: held-out nats per sample in the nearest voice.
        after: held-out nats per sample in the new one.
        steps: after which it was best; 0 if no step made it better.
    """

    adapter: SpeakerAdapter
    nearest: str
    before: float
    after: float
    steps: int


@dataclass
class _State:
    """All that a fit goes on from."""

    step: int
    weights: dict[str, Tensor]
    optimizer: dict[str, Any]
    best: dict[str, Tensor]
    before: float
    after: float
    best_step: int
    nearest: int


class VoiceFit:
    """Fit a voice to recordings.

    Each step depends on its number alone, so that a fit that was stopped ends as one that was not.

    Args:
        network: the model; its weights are not changed.
        waveforms: each ``(samples,)`` float32 at the model's rate and level.
        codes: of each waveform, ``(frames,)``; the last frame filled up with silence.
        seed: of the segments drawn.

    Raises:
        InputError: there is too little speech for a part to learn from and a part to hold out.
    """

    def __init__(
        self,
        network: VQVAE,
        waveforms: Sequence[NDArray[np.float32]],
        codes: Sequence[NDArray[np.int32]],
        *,
        seed: int = 0,
    ) -> None:
        self.network = network
        self.seed = seed
        config = network.config
        self.hop = config.code_hop
        padded = [np.pad(waveform, (0, -len(waveform) % self.hop)) for waveform in waveforms]
        # With the one sample before the first, which pre-emphasis asks for.
        self.samples = torch.from_numpy(np.concatenate([np.zeros(1, np.float32), *padded]))
        self.codes = torch.from_numpy(np.concatenate(codes).astype(np.int64))
        self.pitch_statistics: PitchStatistics | None = None
        self.pitch: Tensor | None = None
        if config.conditioner.pitch:
            self.pitch_statistics, self.pitch = self._tracked(padded)
        self.context = network.conditioner.context
        # Samples that feel the unheard past of a segment are not scored; at least half of it is.
        self.skip = config.decoder.receptive_field
        self.crop = -(-max(CROP, 2 * self.skip) // self.hop)  # in codes
        first_held_out = round(len(self.codes) * (1 - HELD_OUT))
        least = max(LEAST_SECONDS * config.audio.sample_rate / self.hop, self.crop + 2 * self.context + 1)
        if len(self.codes) - first_held_out < least:
            needed = least / HELD_OUT * self.hop / config.audio.sample_rate
            raise InputError(
                f"{self.seconds:.1f} s of speech, too little to learn a voice from",
                hint=f"give {needed:.0f} s at the very least; a minute is good",
            )
        self.train = range(self.context, first_held_out - self.crop - self.context)
        self.dev = range(first_held_out + self.context, len(self.codes) - self.crop - self.context + 1)

    def _tracked(self, waveforms: Sequence[NDArray[np.float32]]) -> tuple[PitchStatistics, Tensor]:
        """Statistics of the speaker's F0, and the pitch of all recordings, ``(frames, PITCH_FEATURES)``."""
        config = self.network.config
        hop, rate = config.conditioner.hop, config.audio.sample_rate
        f0 = np.concatenate([frame_f0(waveform, rate, hop=hop, count=len(waveform) // hop) for waveform in waveforms])
        found = statistics(f0, hop / rate)
        return found, torch.from_numpy(relative(f0, found))

    @property
    def seconds(self) -> float:
        """Duration of all speech."""
        return len(self.codes) * self.hop / self.network.config.audio.sample_rate

    def run(
        self,
        checkpoint: Path | None = None,
        *,
        steps: int,
        progress: Callable[[int, int, float], None] | None = None,
        stepped: Callable[[int, int], None] | None = None,
    ) -> Fitted:
        """Fit.

        Args:
            checkpoint: where it is kept how far the fit is; one of the same fit that is found there is gone on from.
            steps: at most.
            progress: called with steps done, steps in all and the held-out nats per sample, first where it begins.
            stepped: called with steps done and steps in all after every step.

        Raises:
            InputError: the loss is no longer a number.
        """
        with _frozen(self.network):
            state = (None if checkpoint is None else self._resumed(checkpoint, steps)) or self._begun()
            adapter = self._as(state.nearest)
            adapter.load_state_dict(state.weights)
            optimizer = _optimizer(adapter)
            rates = [float(group["lr"]) for group in optimizer.param_groups]
            if state.step:
                optimizer.load_state_dict(state.optimizer)
            if progress:
                progress(state.step, steps, state.after)
            while state.step < steps and state.step - state.best_step < PATIENCE * EVALUATE_EVERY:
                # A plateau, then a linear fall to nothing over the last half.
                for group, rate in zip(optimizer.param_groups, rates, strict=True):
                    group["lr"] = rate * min(1.0, 2 * (1 - state.step / steps))
                self._take_step(adapter, optimizer, state.step)
                state.step += 1
                if stepped:
                    stepped(state.step, steps)
                if state.step % EVALUATE_EVERY and state.step < steps:
                    continue
                nll = self.held_out(voice_of(adapter, self.network))
                if not math.isfinite(nll):
                    raise InputError(f"the loss is no longer a number at step {state.step}", hint="check the model")
                if nll < state.after:
                    state.best, state.after, state.best_step = _weights(adapter), nll, state.step
                state.weights, state.optimizer = _weights(adapter), optimizer.state_dict()
                if checkpoint is not None:
                    self._save(checkpoint, steps, state)
                if progress:
                    progress(state.step, steps, nll)
        adapter.load_state_dict(state.best)
        return Fitted(adapter, self.network.speakers[state.nearest], state.before, state.after, state.best_step)

    def nearest(self) -> int:
        """The voice of the model under which the speech to learn from is likeliest."""
        voices = [self.network.voice({speaker: 1.0}) for speaker in range(len(self.network.speakers))]
        starts = _spread(self.train, NEAREST_SEGMENTS)
        return int(np.argmin([self._mean_nll(voice, starts) for voice in voices]))

    def held_out(self, voice: Voice) -> float:
        """Nats per sample of the held-out speech in a voice."""
        scored = self.crop * self.hop - self.skip
        count = min(HELD_OUT_SEGMENTS, 1 + len(self.dev) * self.hop // scored)
        return self._mean_nll(voice, _spread(self.dev, count))

    @torch.no_grad()
    def _mean_nll(self, voice: Voice, starts: Sequence[int]) -> float:
        batches = [starts[i : i + BATCH] for i in range(0, len(starts), BATCH)]
        return float(torch.cat([self._nll(voice, batch, self._frames(voice, batch)) for batch in batches]).mean())

    def _take_step(self, adapter: SpeakerAdapter, optimizer: torch.optim.Optimizer, step: int) -> None:
        rng = np.random.default_rng([self.seed, step])
        starts = [int(start) for start in rng.integers(self.train.start, self.train.stop, BATCH)]
        optimizer.zero_grad()
        voice = voice_of(adapter, self.network)
        frames = self._frames(voice, starts, rng.random(BATCH) >= PITCH_DROPOUT)
        nll = self._nll(voice, starts, frames).mean()
        (nll + MEL_WEIGHT * self._mel_error(voice, starts, frames)).backward()
        torch.nn.utils.clip_grad_norm_(adapter.parameters(), 1.0)
        optimizer.step()

    def _frames(self, voice: Voice, starts: Sequence[int], with_pitch: NDArray[np.bool_] | None = None) -> Tensor:
        """Conditioning frames of segments.

        Args:
            voice: whose.
            starts: their first codes.
            with_pitch: ``(segments,)``, whether each is given its pitch; None for all.

        Returns:
            ``(segments, frames, channels)``.
        """
        network, device = self.network, self.network.quantizer.codebook.device
        reach = range(-self.context, self.crop + self.context)
        codes = torch.stack([self.codes[start + reach.start : start + reach.stop] for start in starts]).to(device)
        pitch = None
        if self.pitch is not None:
            scale = network.conditioner.frames_per_code
            spans = [slice((start + reach.start) * scale, (start + reach.stop) * scale) for start in starts]
            pitch = torch.stack([self.pitch[span] for span in spans])  # (segments, frames, PITCH_FEATURES)
            if with_pitch is not None:
                pitch = pitch * torch.from_numpy(with_pitch)[:, None, None]
            pitch = pitch.to(device)
        frames = voice.frames(network.quantizer.lookup(codes), pitch)
        edge = self.context * network.conditioner.frames_per_code
        return frames[:, edge : frames.shape[1] - edge]

    def _nll(self, voice: Voice, starts: Sequence[int], frames: Tensor) -> Tensor:
        """``-log p`` of the samples of segments, given their frames: ``(segments, samples)``."""
        first, length = [start * self.hop for start in starts], self.crop * self.hop + 1
        targets = torch.stack([self.samples[sample : sample + length] for sample in first]).to(frames.device)
        return self.network.conditioned_nll(targets, voice.conditioning(frames))[:, self.skip :]

    def _mel_error(self, voice: Voice, starts: Sequence[int], frames: Tensor) -> Tensor:
        """Mean absolute error of the mel head in segments, given their frames; a scalar."""
        bands = voice.mel(frames)
        if bands is None:
            return frames.new_zeros(())
        config = self.network.config
        # From a little more than the segment, so that the windows at its edges are whole.
        begin, length = -self.context * self.hop + 1, (self.crop + 2 * self.context) * self.hop
        pieces = [self.samples[start * self.hop + begin : start * self.hop + begin + length] for start in starts]
        target = log_mel(
            torch.stack(pieces).to(bands.device),
            sample_rate=config.audio.sample_rate,
            hop=config.conditioner.hop,
            bands=bands.shape[2],
        )
        edge = self.context * self.network.conditioner.frames_per_code
        return F.l1_loss(bands, target[:, edge : target.shape[1] - edge])

    def _begun(self) -> _State:
        nearest = self.nearest()
        weights = _weights(self._as(nearest))
        before = self.held_out(self.network.voice({nearest: 1.0}))
        return _State(0, weights, {}, weights, before, before, 0, nearest)

    def _as(self, speaker: int) -> SpeakerAdapter:
        """A conditioning network for the new voice that makes of it what the model makes of a speaker."""
        (component,) = self.network.voice({speaker: 1.0}).components
        return SpeakerAdapter.copied(component.conditioner, component.conditioning, component.vector).requires_grad_()

    def _order(self, steps: int) -> str:
        """What a fit depends on; a checkpoint of another one is of no use."""
        weights = zlib.crc32(b"".join(p.detach().cpu().numpy().tobytes() for p in self.network.parameters()))
        speech = zlib.crc32(self.codes.numpy().tobytes(), zlib.crc32(self.samples.numpy().tobytes()))
        return f"{weights:08x} {speech:08x} {self.network.speakers} {self.seed} {steps}"

    def _save(self, checkpoint: Path, steps: int, state: _State) -> None:
        save_checkpoint(checkpoint, {"order": self._order(steps), **vars(state)})

    def _resumed(self, checkpoint: Path, steps: int) -> _State | None:
        """Where an earlier call of the same fit was; None if there is nothing to go on from."""
        if not checkpoint.exists():
            return None
        try:
            saved = torch.load(checkpoint, map_location=self.network.quantizer.codebook.device, weights_only=True)
            order = saved.pop("order")
            return _State(**saved) if order == self._order(steps) else None
        except (OSError, RuntimeError, LookupError, EOFError, pickle.UnpicklingError, TypeError, AttributeError):
            # A damaged one: it holds minutes of work, which are sooner done again than mended.
            return None


def _spread(starts: range, count: int) -> list[int]:
    """``count`` of ``starts``, evenly apart, the first and the last among them."""
    return sorted({starts[round(place)] for place in np.linspace(0, len(starts) - 1, count)})


@contextmanager
def _frozen(network: VQVAE) -> Iterator[None]:
    """No gradient is computed for the weights."""
    learnt = [parameter for parameter in network.parameters() if parameter.requires_grad]
    for parameter in learnt:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in learnt:
            parameter.requires_grad_(True)


def voice_of(adapter: SpeakerAdapter, network: VQVAE) -> Voice:
    """The voice of a conditioning network beside a model's decoder."""
    component = VoiceComponent(1.0, adapter.conditioner, adapter.conditioning, adapter.vector)
    return Voice([component], network.config.decoder.layers)


def _optimizer(adapter: SpeakerAdapter) -> torch.optim.Optimizer:
    vector = adapter.conditioner.speakers.weight
    rest = [parameter for parameter in adapter.parameters() if parameter is not vector]
    groups = [{"params": [vector], "lr": VECTOR_RATE}, {"params": rest, "lr": RATE}]
    return torch.optim.Adam(groups, betas=(0.9, 0.99))


def _weights(adapter: SpeakerAdapter) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in adapter.state_dict().items()}


def add_voice(
    network: VQVAE, name: str, adapter: SpeakerAdapter, vectors: Tensor, pitch: PitchStatistics | None = None
) -> VQVAE:
    """A copy of a model with one more voice, the last; all else is the same to the bit.

    Args:
        network: the model.
        name: of the voice.
        adapter: the voice's own conditioning network.
        vectors: the encoder's output for its recordings, ``(n, dimension)``.
        pitch: of its recordings, for a model that pitch conditions.

    Returns:
        The copy, on the CPU, in evaluation mode.
    """
    # Its random first weights are all replaced; drawing them must not disturb the user's random numbers.
    with torch.random.fork_rng(devices=[]):
        adapted = [int(speaker) for speaker in network.adapters]
        copy = VQVAE(network.config, (*network.speakers, name), (*adapted, len(network.speakers)))
    weights = {key: tensor.cpu() for key, tensor in network.state_dict().items()}
    voices = "conditioner.speakers.weight"
    weights[voices] = torch.cat([weights[voices], adapter.vector.detach().cpu()[None]])
    weights |= {f"adapters.{len(network.speakers)}.{key}": tensor.cpu() for key, tensor in adapter.state_dict().items()}
    for key in ("speaker_stats.means", "speaker_stats.unigrams", "speaker_stats.pitch"):
        weights[key] = torch.cat([weights[key], torch.zeros_like(weights[key][:1])])
    copy.load_state_dict(weights)
    if network.speaker_stats.computed(range(len(network.speakers))):
        copy.speaker_stats.update(len(network.speakers), vectors.cpu(), copy.quantizer)
    if pitch is not None:
        copy.speaker_stats.pitch[-1] = torch.tensor([pitch.mean, pitch.deviation])
    return copy.eval()
