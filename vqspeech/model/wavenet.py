"""The decoder: a WaveNet, every layer conditioned on frames (van den Oord et al. 2016).

With ``s[t]`` the class of sample ``t``, ``x`` between layers and ``c`` the conditioning of the frame that ``t`` is in:

    x[t]      = embedding(s[t - 1])
    a, b      = sum over taps k of W_k x[t - (kernel - 1 - k) dilation]  +  V c
    z         = tanh(a) sigmoid(b)
    x        <- x + R z
    logits[t] = output(relu(hidden(relu(sum over layers of S z))))
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqspeech.model.config import WaveNetConfig

#: ``plain`` is written as the formulas are, with ``conv1d``; ``matrix`` computes the same as time-major matrix
#: products with one product for all skip connections, several times faster on a CPU in bf16.
Form = Literal["plain", "matrix"]


class WaveNet(nn.Module):
    """Predict each sample's class from those before it and from conditioning frames.

    Weights are stored ``(out, in)``, as products: ``dilated[l]`` is ``(2 gate, kernel x residual)`` with the taps from
    the oldest to the newest and the tanh half before the sigmoid half; ``skip`` is ``(skip, layers x gate)``. Biases of
    the dilated convolutions are part of ``conditioning``. ``activation_peaks`` are the largest magnitudes seen on
    training data at the input of each layer, after the first and after the second ReLU of the output: the scales of an
    8-bit engine; zeros until they are measured.

    Args:
        config: sizes.
        classes: levels of the mu-law code.
        condition_channels: width of a conditioning frame.
    """

    activation_peaks: Tensor

    def __init__(self, config: WaveNetConfig, *, classes: int, condition_channels: int) -> None:
        super().__init__()
        self.config = config
        self.classes = classes
        self.form: Form = "matrix"
        c = config
        self.embedding = nn.Embedding(classes, c.residual)
        self.conditioning = nn.Linear(condition_channels, c.layers * 2 * c.gate)
        self.dilated = nn.ModuleList(nn.Linear(c.kernel * c.residual, 2 * c.gate, bias=False) for _ in range(c.layers))
        self.residual = nn.ModuleList(nn.Linear(c.gate, c.residual) for _ in range(c.layers))
        self.skip = nn.Linear(c.layers * c.gate, c.skip)
        self.hidden = nn.Linear(c.skip, c.output)
        self.output = nn.Linear(c.output, classes)
        self.register_buffer("activation_peaks", torch.zeros(c.layers + 2))
        self._initialise()

    def _initialise(self) -> None:
        # Each part keeps the variance of speech-like input near one, and the first samples are heard at once: some
        # channels of the embedding begin as the amplitude itself.
        c = self.config
        nn.init.normal_(self.embedding.weight, std=0.3)
        ramp = torch.linspace(-1, 1, self.classes)
        with torch.no_grad():
            for channel in range(min(8, c.residual)):
                shape = torch.tanh(2 * ramp) if channel % 2 else ramp
                self.embedding.weight[:, channel] = shape * (1.5 if channel < 4 else -1.5)
        for dilated, residual in zip(self.dilated, self.residual, strict=True):
            assert isinstance(dilated, nn.Linear)
            assert isinstance(residual, nn.Linear)
            nn.init.normal_(dilated.weight, std=1.3 * (c.kernel * c.residual) ** -0.5)
            nn.init.normal_(residual.weight, std=0.8 * c.gate**-0.5)
            nn.init.zeros_(residual.bias)
        nn.init.normal_(self.skip.weight, std=3 * (c.layers * c.gate) ** -0.5)
        nn.init.zeros_(self.skip.bias)
        nn.init.normal_(self.hidden.weight, std=1.4 * c.skip**-0.5)
        nn.init.normal_(self.output.weight, std=0.5 * c.output**-0.5)

    def taps(self, layer: int) -> Tensor:
        """The dilated convolution of a layer as ``conv1d`` takes it: ``(2 gate, residual, kernel)``."""
        weight = self.dilated[layer].get_parameter("weight")
        return weight.unflatten(1, (self.config.kernel, self.config.residual)).transpose(1, 2)

    @torch.no_grad()
    def centre_logits(self) -> None:
        """Take from all logits of a sample what they have in common: softmax does not feel it, but rounding does."""
        for parameter in (self.output.weight, self.output.bias):
            parameter.sub_(parameter.mean(0, keepdim=True))

    def condition(self, frames: Tensor) -> Tensor:
        """Project conditioning frames to every layer, biases included.

        Args:
            frames: ``(batch, frames, condition_channels)``.

        Returns:
            ``(batch, frames, layers, 2 gate)``, what is added inside each layer to all samples of a frame.
        """
        return self.conditioning(frames).unflatten(-1, (self.config.layers, 2 * self.config.gate))

    def forward(self, previous: Tensor, frames: Tensor) -> Tensor:
        """Predict all samples at once from the true ones before them (teacher forcing).

        Args:
            previous: ``(batch, time)`` int64, at ``t`` the class of sample ``t - 1``. What lies before the first is
                taken as zeros inside every layer.
            frames: ``(batch, frames, condition_channels)``; ``time`` is a multiple of ``frames``.

        Returns:
            ``(batch, time, classes)`` logits of sample ``t``.
        """
        return self.logits(previous, self.condition(frames))

    def logits(self, previous: Tensor, conditioning: Tensor) -> Tensor:
        """As ``forward``, from what ``condition`` made of the frames: ``(batch, frames, layers, 2 gate)``."""
        return self._plain(previous, conditioning) if self.form == "plain" else self._matrix(previous, conditioning)

    def _plain(self, previous: Tensor, conditioning: Tensor) -> Tensor:
        c = self.config
        hop = previous.shape[1] // conditioning.shape[1]
        x = self.embedding(previous).transpose(1, 2)  # (batch, residual, time)
        gated = []
        for layer, dilation in enumerate(c.dilations):
            past = F.pad(x, ((c.kernel - 1) * dilation, 0))
            added = conditioning[:, :, layer].transpose(1, 2).repeat_interleave(hop, 2)  # (batch, 2 gate, time)
            a, b = (F.conv1d(past, self.taps(layer), dilation=dilation) + added).chunk(2, 1)
            z = torch.tanh(a) * torch.sigmoid(b)
            gated.append(z)
            x = x + self.residual[layer](z.transpose(1, 2)).transpose(1, 2)
        skip = F.conv1d(torch.cat(gated, 1), self.skip.weight[:, :, None], self.skip.bias)
        return self.output(F.relu(self.hidden(F.relu(skip).transpose(1, 2))))

    def _matrix(self, previous: Tensor, conditioning: Tensor) -> Tensor:
        c = self.config
        time, frames = previous.shape[1], conditioning.shape[1]
        x = self.embedding(previous)  # (batch, time, residual)
        if torch.is_autocast_enabled(x.device.type):
            x = x.to(torch.get_autocast_dtype(x.device.type))
        gated = []
        for layer, dilation in enumerate(c.dilations):
            past = F.pad(x, (0, 0, (c.kernel - 1) * dilation, 0))
            taps = torch.cat([past[:, k * dilation : k * dilation + time] for k in range(c.kernel)], -1)
            sums = self.dilated[layer](taps).unflatten(1, (frames, -1)) + conditioning[:, :, None, layer]
            a, b = sums.flatten(1, 2).chunk(2, -1)
            z = torch.tanh(a) * torch.sigmoid(b)
            gated.append(z)
            x = x + self.residual[layer](z)
        return self.output(F.relu(self.hidden(F.relu(self.skip(torch.cat(gated, -1))))))
