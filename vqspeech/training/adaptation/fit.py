"""A new voice for a trained model, fitted to a minute of someone's speech, all its weights left as they are.

The voice gets a conditioning network of its own, which begins as the model's in the voice under which the recordings
are likeliest, and is learnt by gradient descent on their likelihood. Held-out speech decides when to stop (early
stopping).
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqspeech.errors import InputError, decoding
from vqspeech.files import save_checkpoint
from vqspeech.model.speaker_conditioning import SpeakerAdapter, Voice, VoiceComponent
from vqspeech.model.vqvae import VQVAE
from vqspeech.pitch import PitchStatistics
from vqspeech.training.adaptation import segments
from vqspeech.training.adaptation.segments import SpeakerSegments

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
        self.speech = SpeakerSegments(network, waveforms, codes)

    @property
    def seconds(self) -> float:
        """Duration of all speech."""
        return self.speech.seconds

    @property
    def pitch_statistics(self) -> PitchStatistics | None:
        """Of the speaker's F0; None for a model that pitch does not condition."""
        return self.speech.pitch_statistics

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
                nll = self.speech.held_out(voice_of(adapter, self.network))
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

    def _take_step(self, adapter: SpeakerAdapter, optimizer: torch.optim.Optimizer, step: int) -> None:
        rng = np.random.default_rng([self.seed, step])
        starts = [int(start) for start in rng.integers(self.speech.train.start, self.speech.train.stop, segments.BATCH)]
        optimizer.zero_grad()
        voice = voice_of(adapter, self.network)
        frames = self.speech.frames(voice, starts, rng.random(segments.BATCH) >= PITCH_DROPOUT)
        nll = self.speech.nll(voice, starts, frames).mean()
        (nll + MEL_WEIGHT * self.speech.mel_error(voice, starts, frames)).backward()
        torch.nn.utils.clip_grad_norm_(adapter.parameters(), 1.0)
        optimizer.step()

    def _begun(self) -> _State:
        nearest = self.speech.nearest()
        weights = _weights(self._as(nearest))
        before = self.speech.held_out(self.network.voice({nearest: 1.0}))
        return _State(0, weights, {}, weights, before, before, 0, nearest)

    def _as(self, speaker: int) -> SpeakerAdapter:
        """A conditioning network for the new voice that makes of it what the model makes of a speaker."""
        (component,) = self.network.voice({speaker: 1.0}).components
        return SpeakerAdapter.copied(component.conditioner, component.conditioning, component.vector).requires_grad_()

    def _order(self, steps: int) -> str:
        """What a fit depends on; a checkpoint of another one is of no use."""
        weights = zlib.crc32(b"".join(p.detach().cpu().numpy().tobytes() for p in self.network.parameters()))
        speech = zlib.crc32(self.speech.codes.numpy().tobytes(), zlib.crc32(self.speech.samples.numpy().tobytes()))
        return f"{weights:08x} {speech:08x} {self.network.speakers} {self.seed} {steps}"

    def _save(self, checkpoint: Path, steps: int, state: _State) -> None:
        save_checkpoint(checkpoint, {"order": self._order(steps), **vars(state)})

    def _resumed(self, checkpoint: Path, steps: int) -> _State | None:
        """Where an earlier call of the same fit was; None if there is nothing to go on from."""
        if not checkpoint.exists():
            return None
        # A damaged one holds minutes of work, which are sooner done again than repaired.
        with suppress(InputError, OSError), decoding("a damaged checkpoint", where=checkpoint, hint="begun again"):
            saved = torch.load(checkpoint, map_location=self.network.device, weights_only=True)
            if saved.pop("order") != self._order(steps):
                return None
            state = _State(**saved)
            adapter = self._as(state.nearest)
            for weights in (state.best, state.weights):
                adapter.load_state_dict(weights)
            if state.step:
                _optimizer(adapter).load_state_dict(state.optimizer)
            if not (0 <= state.best_step <= state.step <= steps and math.isfinite(state.before + state.after)):
                raise ValueError("its steps or scores make no sense")
            return state
        return None


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
