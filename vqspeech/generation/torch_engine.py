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
        self.bands = wavenet.config.bands
        with torch.no_grad():
            gate = self.config.gate
            skips = torch.split(wavenet.skip.weight, gate, 1)
            # (classes, residual) for each band
            self.embedding = [table.float().clone() for table in wavenet.embedding.weight.chunk(self.bands)]
            self.device = self.embedding[0].device
            # Ready for addmm: (in, out).
            weights = wavenet.state_dict()
            layers = range(self.config.layers)
            self.dilated = [_columns(weights[f"dilated.{layer}.weight"]) for layer in layers]
            # Residual and skip read the same gated units: one product.
            self.mix = [_columns(torch.cat([weights[f"residual.{layer}.weight"], skips[layer]])) for layer in layers]
            silent = torch.zeros_like(wavenet.skip.bias)
            self.mix_bias = [torch.cat([weights[f"residual.{layer}.bias"], silent]).float() for layer in layers]
            self.skip_bias = wavenet.skip.bias.float().clone()
            # For each band: hidden layer, output, and what classes of lower bands add.
            bands = range(self.config.bands)
            hidden, output = wavenet.hidden.weight.chunk(len(bands)), wavenet.output.weight.chunk(len(bands))
            self.hidden = [_columns(weight) for weight in hidden]
            self.hidden_bias = [bias.float().clone() for bias in wavenet.hidden.bias.chunk(len(bands))]
            self.output = [_columns(weight) for weight in output]
            self.output_bias = [bias.float().clone() for bias in wavenet.output.bias.chunk(len(bands))]
            self.below = [[wavenet.below_table(a, b).float().clone() for a in range(b)] for b in bands]

    @property
    def identity(self) -> str:
        """What its arithmetic depends on; its products, on the number of streams, too."""
        return f"torch {torch.__version__} {self.device} {self.width}"

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
        silence = engine.classes // 2
        self._previous = torch.full((streams, engine.bands), silence, dtype=torch.long, device=engine.device)
        self._time = 0

    @property
    def streams(self) -> int:
        """How many streams there are now."""
        return len(self._previous)

    @torch.inference_mode()
    def push(self, layers: Tensor, uniforms: NDArray[np.float32], temperature: float = 1.0) -> NDArray[np.int64]:
        """Draw the samples of the next frames; see ``engine.Session.push``."""
        device, bands = self._engine.device, self._engine.bands
        numbers = torch.from_numpy(np.array(uniforms)).to(device).unflatten(1, (-1, bands))  # (streams, steps, bands)
        conditioning = layers.to(device, torch.float32)
        hop = numbers.shape[1] // conditioning.shape[1]
        drawn = torch.empty(numbers.shape, dtype=torch.long, device=device)  # (streams, steps, bands)
        for t in range(numbers.shape[1]):
            skip = self._stack(self._previous, conditioning[:, t // hop])
            for band in range(bands):
                drawn[:, t, band] = draw(self._logits(skip, band, drawn[:, t]), numbers[:, t, band], temperature)
            self._previous = drawn[:, t]
        return _without_one_band(drawn, 2, bands).cpu().numpy()

    @torch.inference_mode()
    def score(
        self, layers: Tensor, previous: NDArray[np.int64], current: NDArray[np.int64] | None = None
    ) -> NDArray[np.float32]:
        """Advance over given samples; see ``engine.Session.score``."""
        device, bands = self._engine.device, self._engine.bands
        before = torch.from_numpy(np.array(previous)).to(device).view(self.streams, -1, bands)
        given = before if current is None else torch.from_numpy(np.array(current)).to(device)
        conditioning = layers.to(device, torch.float32)
        hop = before.shape[1] // conditioning.shape[1]
        logits = []
        for t in range(before.shape[1]):
            skip = self._stack(before[:, t], conditioning[:, t // hop])
            logits.append(torch.stack([self._logits(skip, band, given[:, t]) for band in range(bands)], 1))
        return _without_one_band(torch.stack(logits, 1), 2, bands).cpu().numpy()

    def keep(self, streams: Sequence[int]) -> None:
        """Go on with these streams alone; see ``engine.Session.keep``."""
        index = torch.tensor(list(streams), dtype=torch.long, device=self._engine.device)
        self._queues = [queue[:, index] for queue in self._queues]
        self._previous = self._previous[index]

    def _stack(self, previous: Tensor, conditioning: Tensor) -> Tensor:
        """``(streams, bands)`` classes and ``(streams, layers, 2 gate)`` -> ``(streams, skip)``, after the ReLU."""
        e, c, t = self._engine, self._engine.config, self._time
        x = e.embedding[0][previous[:, 0]]  # (streams, residual)
        for band in range(1, e.bands):
            x = x + e.embedding[band][previous[:, band]]
        skip = e.skip_bias
        for layer, (queue, dilation) in enumerate(zip(self._queues, c.dilations, strict=True)):
            span = len(queue)
            taps = [queue[(t - back * dilation) % span] for back in range(c.kernel - 1, 0, -1)]
            sums = torch.addmm(conditioning[:, layer], torch.cat([*taps, x], 1), e.dilated[layer])  # (streams, 2 gate)
            queue[t % span] = x
            z = torch.tanh(sums[:, : c.gate]) * torch.sigmoid(sums[:, c.gate :])  # (streams, gate)
            mixed = torch.addmm(e.mix_bias[layer], z, e.mix[layer])  # (streams, residual + skip)
            x = x + mixed[:, : c.residual]
            skip = skip + mixed[:, c.residual :]
        self._time += 1
        return torch.relu(skip)

    def _logits(self, skip: Tensor, band: int, current: Tensor) -> Tensor:
        """Logits of a band, ``(streams, classes)``, given ``(streams, bands)`` with the classes of lower bands."""
        e = self._engine
        hidden = torch.addmm(e.hidden_bias[band], skip, e.hidden[band])  # (streams, output)
        for lower, table in enumerate(e.below[band]):
            hidden = hidden + table[current[:, lower]]
        return torch.addmm(e.output_bias[band], torch.relu(hidden), e.output[band])  # (streams, classes)


def _without_one_band(values: Tensor, axis: int, bands: int) -> Tensor:
    """A single band has no axis of its own."""
    return values.squeeze(axis) if bands == 1 else values


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
    weights = torch.exp((logits - logits.max(1, keepdim=True).values) / temperature)  # (streams, classes)
    cumulative = weights.cumsum(1)
    index = (cumulative <= uniforms[:, None] * cumulative[:, -1:]).sum(1)  # (streams,)
    # The largest uniform number times the total can round to the total, which no sum exceeds.
    return torch.where(index < logits.shape[1], index, logits.argmax(1))


def _columns(weight: Tensor) -> Tensor:
    return weight.float().t().contiguous()
