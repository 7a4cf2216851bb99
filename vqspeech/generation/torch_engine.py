"""The reference engine: PyTorch on any device, every layer's past kept in a queue."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqspeech.generation.engine import Precision
from vqspeech.model.wavenet import WaveNet


class TorchEngine:
    """Run a WaveNet one sample at a time on the device it is on, in float32.

    Args:
        wavenet: the decoder.
        width: how many streams to run together.
    """

    name = "torch"
    precision: Precision = "fp32"

    def __init__(self, wavenet: WaveNet, *, width: int = 16) -> None:
        self.width = width
        self.config = wavenet.config
        self.classes = wavenet.classes
        with torch.no_grad():
            gate = self.config.gate
            skips = torch.split(wavenet.skip.weight, gate, 1)
            self.embedding = wavenet.embedding.weight.float().clone()
            self.device = self.embedding.device
            # Ready for addmm: (in, out).
            weights = wavenet.state_dict()
            layers = range(self.config.layers)
            self.dilated = [_columns(weights[f"dilated.{layer}.weight"]) for layer in layers]
            # Residual and skip read the same gated units: one product.
            self.mix = [_columns(torch.cat([weights[f"residual.{layer}.weight"], skips[layer]])) for layer in layers]
            silent = torch.zeros_like(wavenet.skip.bias)
            self.mix_bias = [torch.cat([weights[f"residual.{layer}.bias"], silent]).float() for layer in layers]
            self.skip_bias = wavenet.skip.bias.float().clone()
            self.hidden, self.hidden_bias = _columns(wavenet.hidden.weight), wavenet.hidden.bias.float().clone()
            self.output, self.output_bias = _columns(wavenet.output.weight), wavenet.output.bias.float().clone()

    def open(self, streams: int) -> TorchSession:
        """Begin ``streams`` fresh streams."""
        return TorchSession(self, streams)


class TorchSession:
    """Streams of one ``TorchEngine``; see ``engine.Session``."""

    def __init__(self, engine: TorchEngine, streams: int) -> None:
        self._engine = engine
        c = engine.config
        # One queue a layer, (span, streams, residual): the slot of time t is t modulo the span.
        self._queues = [
            torch.zeros((c.kernel - 1) * dilation, streams, c.residual, device=engine.device)
            for dilation in c.dilations
        ]
        self._previous = torch.full((streams,), engine.classes // 2, dtype=torch.long, device=engine.device)
        self._time = 0

    @property
    def streams(self) -> int:
        """How many streams there are now."""
        return len(self._previous)

    @torch.inference_mode()
    def push(self, layers: Tensor, uniforms: NDArray[np.float32], temperature: float = 1.0) -> NDArray[np.int64]:
        """Draw the samples of the next frames; see ``engine.Session.push``."""
        device = self._engine.device
        numbers = torch.from_numpy(np.array(uniforms)).to(device)
        conditioning = layers.to(device, torch.float32)
        hop = numbers.shape[1] // conditioning.shape[1]
        drawn = torch.empty(numbers.shape, dtype=torch.long, device=device)
        for t in range(numbers.shape[1]):
            self._previous = draw(self._step(self._previous, conditioning[:, t // hop]), numbers[:, t], temperature)
            drawn[:, t] = self._previous
        return drawn.cpu().numpy()

    @torch.inference_mode()
    def score(self, layers: Tensor, previous: NDArray[np.int64]) -> NDArray[np.float32]:
        """Advance over given samples; see ``engine.Session.score``."""
        device = self._engine.device
        given = torch.from_numpy(np.array(previous)).to(device)
        conditioning = layers.to(device, torch.float32)
        hop = given.shape[1] // conditioning.shape[1]
        logits = [self._step(given[:, t], conditioning[:, t // hop]) for t in range(given.shape[1])]
        return torch.stack(logits, 1).cpu().numpy()

    def keep(self, streams: Sequence[int]) -> None:
        """Go on with these streams alone; see ``engine.Session.keep``."""
        index = torch.tensor(list(streams), dtype=torch.long, device=self._engine.device)
        self._queues = [queue[:, index] for queue in self._queues]
        self._previous = self._previous[index]

    def _step(self, previous: Tensor, conditioning: Tensor) -> Tensor:
        """``(streams,)`` classes and ``(streams, layers, 2 gate)`` -> ``(streams, classes)`` logits."""
        e, c, t = self._engine, self._engine.config, self._time
        x = e.embedding[previous]
        skip = e.skip_bias
        for layer, (queue, dilation) in enumerate(zip(self._queues, c.dilations, strict=True)):
            span = len(queue)
            taps = [queue[(t - back * dilation) % span] for back in range(c.kernel - 1, 0, -1)]
            sums = torch.addmm(conditioning[:, layer], torch.cat([*taps, x], 1), e.dilated[layer])
            queue[t % span] = x
            z = torch.tanh(sums[:, : c.gate]) * torch.sigmoid(sums[:, c.gate :])
            mixed = torch.addmm(e.mix_bias[layer], z, e.mix[layer])
            x = x + mixed[:, : c.residual]
            skip = skip + mixed[:, c.residual :]
        self._time += 1
        hidden = torch.addmm(e.hidden_bias, torch.relu(skip), e.hidden)
        return torch.addmm(e.output_bias, torch.relu(hidden), e.output)


def draw(logits: Tensor, uniforms: Tensor, temperature: float) -> Tensor:
    """Draw a class from each row of logits by inverting its cumulative distribution.

    Args:
        logits: ``(streams, classes)``.
        uniforms: ``(streams,)`` in [0, 1).
        temperature: divides the logits; 0 takes the most likely class.

    Returns:
        ``(streams,)`` int64: the first class whose cumulative probability exceeds the uniform number.
    """
    if temperature == 0:
        return logits.argmax(1)
    weights = torch.exp((logits - logits.max(1, keepdim=True).values) / temperature)
    cumulative = weights.cumsum(1)
    index = (cumulative <= uniforms[:, None] * cumulative[:, -1:]).sum(1)
    # The largest uniform number times the total can round to the total, which no sum exceeds.
    return torch.where(index < logits.shape[1], index, logits.argmax(1))


def _columns(weight: Tensor) -> Tensor:
    return weight.float().t().contiguous()
