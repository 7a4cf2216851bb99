"""A new voice for a trained model: a vector fitted to a minute of someone's speech, all weights left as they are.

The codes of the recordings are what they are; only how the decoder is steered depends on the speaker, and of that only
the vector is learnt, by gradient descent on the likelihood of the recordings. It begins as the vector of the voice
under which they are likeliest. Speech that is held out says when to stop.
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
from numpy.typing import NDArray
from torch import Tensor

from vqspeech.errors import InputError
from vqspeech.files import atomic_path
from vqspeech.model.vqvae import VQVAE

#: Share of the speech, its last part, that is held out, and the least that either part must have, in seconds.
HELD_OUT, LEAST_SECONDS = 1 / 6, 1.5
#: Samples that the decoder predicts of a segment, at least, and segments a step.
CROP, BATCH = 4096, 8
#: Most held-out segments, and segments by which the nearest voice is chosen.
HELD_OUT_SEGMENTS, NEAREST_SEGMENTS = 40, 8
#: The learning rate at first, and steps between two evaluations (and two checkpoints).
RATE, EVALUATE_EVERY = 0.05, 20
#: Evaluations without a better one after which no more steps are taken.
PATIENCE = 3


@dataclass(frozen=True)
class Fitted:
    """What came of it.

    Attributes:
        vector: ``(speaker_dimension,)``, the new voice.
        nearest: the voice that it began as.
        before: held-out nats a sample in the nearest voice.
        after: held-out nats a sample in the new one.
        steps: after which it was best; 0 if no step made it better.
    """

    vector: Tensor
    nearest: str
    before: float
    after: float
    steps: int


@dataclass
class _State:
    """All that a fit goes on from."""

    step: int
    vector: Tensor
    optimizer: dict[str, Any]
    best: Tensor
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
                cure=f"give {needed:.0f} s at the very least; a minute is good",
            )
        self.train = range(self.context, first_held_out - self.crop - self.context)
        self.dev = range(first_held_out + self.context, len(self.codes) - self.crop - self.context + 1)

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
    ) -> Fitted:
        """Fit.

        Args:
            checkpoint: where it is kept how far the fit is; one of the same fit that is found there is gone on from.
            steps: at most.
            progress: called with steps done, steps in all and the held-out nats a sample, first where it begins.

        Raises:
            InputError: the loss is no longer a number.
        """
        with _frozen(self.network):
            state = (None if checkpoint is None else self._resumed(checkpoint, steps)) or self._begun()
            vector = state.vector.clone().requires_grad_()
            optimizer = torch.optim.Adam([vector], lr=RATE, betas=(0.9, 0.99))
            if state.step:
                optimizer.load_state_dict(state.optimizer)
            if progress:
                progress(state.step, steps, state.after)
            while state.step < steps and state.step - state.best_step < PATIENCE * EVALUATE_EVERY:
                # A plateau, then a linear fall to nothing over the last half.
                optimizer.param_groups[0]["lr"] = RATE * min(1.0, 2 * (1 - state.step / steps))
                self._take_step(vector, optimizer, state.step)
                state.step += 1
                if state.step % EVALUATE_EVERY and state.step < steps:
                    continue
                nats = self.held_out(vector.detach())
                if not math.isfinite(nats):
                    raise InputError(f"the loss is no longer a number at step {state.step}", cure="check the model")
                if nats < state.after:
                    state.best, state.after, state.best_step = vector.detach().clone(), nats, state.step
                state.vector, state.optimizer = vector.detach().clone(), optimizer.state_dict()
                if checkpoint is not None:
                    self._save(checkpoint, steps, state)
                if progress:
                    progress(state.step, steps, nats)
        return Fitted(state.best, self.network.speakers[state.nearest], state.before, state.after, state.best_step)

    def nearest(self) -> int:
        """The voice of the model under which the speech to learn from is likeliest."""
        vectors = self.network.conditioner.speakers.weight.detach()
        starts = _spread(self.train, NEAREST_SEGMENTS)
        return int(np.argmin([self._mean_nats(vector, starts) for vector in vectors]))

    def held_out(self, vector: Tensor) -> float:
        """Nats a sample of the held-out speech in the voice of a vector, ``(speaker_dimension,)``."""
        scored = self.crop * self.hop - self.skip
        count = min(HELD_OUT_SEGMENTS, 1 + len(self.dev) * self.hop // scored)
        return self._mean_nats(vector, _spread(self.dev, count))

    @torch.no_grad()
    def _mean_nats(self, vector: Tensor, starts: Sequence[int]) -> float:
        batches = [starts[i : i + BATCH] for i in range(0, len(starts), BATCH)]
        return float(torch.cat([self._nats(vector, batch) for batch in batches]).mean())

    def _take_step(self, vector: Tensor, optimizer: torch.optim.Optimizer, step: int) -> None:
        rng = np.random.default_rng([self.seed, step])
        starts = rng.integers(self.train.start, self.train.stop, BATCH)
        optimizer.zero_grad()
        self._nats(vector, [int(start) for start in starts]).mean().backward()
        torch.nn.utils.clip_grad_norm_([vector], 1.0)
        optimizer.step()

    def _nats(self, vector: Tensor, starts: Sequence[int]) -> Tensor:
        """``-log p`` of the samples of segments that begin at the codes ``starts``: ``(segments, samples)``."""
        network, device = self.network, vector.device
        reach = range(-self.context, self.crop + self.context)
        codes = torch.stack([self.codes[start + reach.start : start + reach.stop] for start in starts]).to(device)
        first, length = [start * self.hop for start in starts], self.crop * self.hop + 1
        spoken = torch.stack([self.samples[sample : sample + length] for sample in first]).to(device)
        values = network.quantizer.lookup(codes)
        frames = network.conditioner(values, vector.expand(len(starts), -1))
        edge = self.context * network.conditioner.frames_per_code
        frames = frames[:, edge : frames.shape[1] - edge]
        return network.nats(spoken, frames, (0, frames.shape[1]))[:, self.skip :]

    def _begun(self) -> _State:
        nearest = self.nearest()
        vector = self.network.conditioner.speakers.weight[nearest].detach().clone()
        before = self.held_out(vector)
        return _State(0, vector, {}, vector.clone(), before, before, 0, nearest)

    def _order(self, steps: int) -> str:
        """What a fit depends on; a checkpoint of another one is of no use."""
        weights = zlib.crc32(b"".join(p.detach().cpu().numpy().tobytes() for p in self.network.parameters()))
        speech = zlib.crc32(self.codes.numpy().tobytes(), zlib.crc32(self.samples.numpy().tobytes()))
        return f"{weights:08x} {speech:08x} {self.network.speakers} {self.seed} {steps}"

    def _save(self, checkpoint: Path, steps: int, state: _State) -> None:
        with atomic_path(checkpoint) as temporary:
            torch.save({"order": self._order(steps), **vars(state)}, temporary)

    def _resumed(self, checkpoint: Path, steps: int) -> _State | None:
        """Where an earlier call of the same fit was; None if there is nothing to go on from."""
        if not checkpoint.exists():
            return None
        try:
            saved = torch.load(checkpoint, map_location=self.network.quantizer.codebook.device, weights_only=True)
            order = saved.pop("order")
            return _State(**saved) if order == self._order(steps) else None
        except (RuntimeError, LookupError, EOFError, pickle.UnpicklingError, TypeError, AttributeError):
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


def add_voice(network: VQVAE, name: str, vector: Tensor) -> VQVAE:
    """A copy of a model with one more voice, the last; all else is the same to the bit.

    Args:
        network: the model.
        name: of the voice.
        vector: ``(speaker_dimension,)``.

    Returns:
        The copy, on the CPU, in evaluation mode.
    """
    # Its random first weights are all replaced; drawing them must not disturb the user's random numbers.
    with torch.random.fork_rng(devices=[]):
        copy = VQVAE(network.config, (*network.speakers, name))
    weights = {key: tensor.cpu() for key, tensor in network.state_dict().items()}
    voices = "conditioner.speakers.weight"
    weights[voices] = torch.cat([weights[voices], vector.detach().cpu()[None]])
    copy.load_state_dict(weights)
    return copy.eval()
