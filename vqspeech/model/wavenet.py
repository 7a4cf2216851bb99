"""The decoder: a WaveNet, every layer conditioned on frames (van den Oord et al. 2016).

With ``s[t]`` the class of sample ``t``, ``x`` between layers and ``c`` the conditioning of the frame that ``t`` is in:

    x[t]      = embedding(s[t - 1])
    a, b      = sum over taps k of W_k x[t - (kernel - 1 - k) dilation]  +  V c
    z         = tanh(a) sigmoid(b)
    x        <- x + R z
    logits[t] = output(relu(hidden(relu(sum over layers of S z))))

With several bands (DurIAN and FeatherWave have such decoders: Yu et al. 2020, Tian et al. 2020), ``t`` counts steps of
the bands and ``s_b[t]`` is the class of band ``b``. The input is the sum of the embeddings of all ``s_b[t - 1]``; every
band has a hidden layer and an output of its own, and the hidden layer also takes the classes of the lower bands in the
same step, so that a step is drawn from ``p(s_0) p(s_1 | s_0) p(s_2 | s_0, s_1) ...``, bands not taken as independent:

    h           = relu(sum over layers of S z)
    logits_b[t] = output_b(relu(hidden_b(h) + sum over a < b of below_ab(s_a[t])))
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

    With several bands, ``embedding`` has a row for each class of band 0, then of band 1 and so on; ``hidden`` and
    ``output`` have the rows of band 0 first, likewise; ``below`` has rows for each class of band ``a`` and each band
    ``b`` above it, in the order ``(a, b)`` = (0, 1), (0, 2), (1, 2), (0, 3) ... A single band is a special case of it,
    without ``below`` and without the axis of bands in all arguments and results. ``activation_peaks`` has a last
    entry for each band.

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
        self.embedding = nn.Embedding(c.bands * classes, c.residual)
        self.conditioning = nn.Linear(condition_channels, c.layers * 2 * c.gate)
        self.dilated = nn.ModuleList(nn.Linear(c.kernel * c.residual, 2 * c.gate, bias=False) for _ in range(c.layers))
        self.residual = nn.ModuleList(nn.Linear(c.gate, c.residual) for _ in range(c.layers))
        self.skip = nn.Linear(c.layers * c.gate, c.skip)
        self.hidden = nn.Linear(c.skip, c.bands * c.output)
        self.output = nn.Linear(c.output, c.bands * classes)
        pairs = c.bands * (c.bands - 1) // 2
        self.below = nn.Embedding(pairs * classes, c.output) if pairs else None
        self.register_buffer("activation_peaks", torch.zeros(c.layers + 1 + c.bands))
        if not self.output.weight.is_meta:  # arithmetic there would import torch's compiler, for a second
            self._initialise()

    def _initialise(self) -> None:
        # Each part keeps the variance of speech-like input near one, and the first samples count at once: some
        # channels of the embedding begin as the amplitude itself, others for each band.
        c = self.config
        nn.init.normal_(self.embedding.weight, std=0.3 * c.bands**-0.5)
        ramp = torch.linspace(-1, 1, self.classes)
        count = min(8, c.residual // c.bands)
        with torch.no_grad():
            tables = self.embedding.weight.view(c.bands, self.classes, c.residual)  # (bands, classes, residual)
            for band in range(c.bands):
                for channel in range(count):
                    shape = torch.tanh(2 * ramp) if channel % 2 else ramp
                    tables[:, :, band * count + channel] *= 0.3
                    tables[band, :, band * count + channel] = shape * (1.5 if channel < 4 else -1.5)
        if self.below is not None:
            nn.init.zeros_(self.below.weight)
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
            each = parameter.unflatten(0, (self.config.bands, self.classes))  # (bands, classes, ...)
            each.sub_(each.mean(1, keepdim=True))

    def condition(self, frames: Tensor) -> Tensor:
        """Project conditioning frames to every layer, biases included.

        Args:
            frames: ``(batch, frames, condition_channels)``.

        Returns:
            ``(batch, frames, layers, 2 gate)``, what is added inside each layer to all samples of a frame.
        """
        return self.conditioning(frames).unflatten(-1, (self.config.layers, 2 * self.config.gate))

    def forward(self, previous: Tensor, frames: Tensor, current: Tensor | None = None) -> Tensor:
        """Predict all samples at once from the true ones before them (teacher forcing).

        Args:
            previous: ``(batch, time)`` int64, at ``t`` the class of sample ``t - 1``; ``(batch, time, bands)`` if there
                are several bands. What lies before the first is taken as zeros inside every layer.
            frames: ``(batch, frames, condition_channels)``; ``time`` is a multiple of ``frames``.
            current: ``(batch, time, bands)`` int64, at ``t`` the classes of step ``t`` itself, of which a band's logits
                depend on those of lower bands; None for a single band.

        Returns:
            ``(batch, time, classes)`` logits of sample ``t``, or ``(batch, time, bands, classes)``.
        """
        return self.logits(previous, self.condition(frames), current)

    def logits(self, previous: Tensor, conditioning: Tensor, current: Tensor | None = None) -> Tensor:
        """As ``forward``, from what ``condition`` made of the frames: ``(batch, frames, layers, 2 gate)``."""
        form = self._plain if self.form == "plain" else self._matrix
        return form(previous, conditioning, current)

    def _plain(self, previous: Tensor, conditioning: Tensor, current: Tensor | None) -> Tensor:
        c = self.config
        hop = previous.shape[1] // conditioning.shape[1]
        tables = self.embedding.weight.unflatten(0, (c.bands, self.classes))  # (bands, classes, residual)
        classes = previous.unsqueeze(2) if c.bands == 1 else previous  # (batch, time, bands)
        embedded = [F.embedding(classes[:, :, band], tables[band]) for band in range(c.bands)]
        x = sum(embedded[1:], start=embedded[0]).transpose(1, 2)  # (batch, residual, time)
        gated = []
        for layer, dilation in enumerate(c.dilations):
            past = F.pad(x, ((c.kernel - 1) * dilation, 0))  # (batch, residual, reach + time)
            added = conditioning[:, :, layer].transpose(1, 2).repeat_interleave(hop, 2)  # (batch, 2 gate, time)
            a, b = (F.conv1d(past, self.taps(layer), dilation=dilation) + added).chunk(2, 1)  # (batch, gate, time) each
            z = torch.tanh(a) * torch.sigmoid(b)
            gated.append(z)
            x = x + self.residual[layer](z.transpose(1, 2)).transpose(1, 2)
        skip = F.relu(F.conv1d(torch.cat(gated, 1), self.skip.weight[:, :, None], self.skip.bias)).transpose(1, 2)
        logits = []
        for band in range(c.bands):
            rows = slice(band * c.output, (band + 1) * c.output)
            hidden = F.linear(skip, self.hidden.weight[rows], self.hidden.bias[rows])  # (batch, time, output)
            for lower in range(band):
                assert current is not None
                hidden = hidden + F.embedding(current[:, :, lower], self.below_table(lower, band))
            rows = slice(band * self.classes, (band + 1) * self.classes)
            logits.append(F.linear(F.relu(hidden), self.output.weight[rows], self.output.bias[rows]))
        return logits[0] if c.bands == 1 else torch.stack(logits, 2)

    def below_table(self, lower: int, band: int) -> Tensor:
        """What the classes of a lower band add to the hidden layer of a band: ``(classes, output)``."""
        assert self.below is not None
        pair = band * (band - 1) // 2 + lower
        return self.below.weight[pair * self.classes : (pair + 1) * self.classes]

    def _matrix(self, previous: Tensor, conditioning: Tensor, current: Tensor | None) -> Tensor:
        c = self.config
        time, frames = previous.shape[1], conditioning.shape[1]
        x = self.embedding(previous) if c.bands == 1 else _embedded(self.embedding, previous, self.classes)
        # (batch, time, residual)
        if torch.is_autocast_enabled(x.device.type):
            x = x.to(torch.get_autocast_dtype(x.device.type))
        gated = []
        for layer, dilation in enumerate(c.dilations):
            past = F.pad(x, (0, 0, (c.kernel - 1) * dilation, 0))  # (batch, reach + time, residual)
            taps = torch.cat([past[:, k * dilation : k * dilation + time] for k in range(c.kernel)], -1)
            # (batch, time, kernel x residual)
            sums = self.dilated[layer](taps).unflatten(1, (frames, -1)) + conditioning[:, :, None, layer]
            # (batch, frames, hop, 2 gate)
            a, b = sums.flatten(1, 2).chunk(2, -1)  # (batch, time, gate) each
            z = torch.tanh(a) * torch.sigmoid(b)
            gated.append(z)
            x = x + self.residual[layer](z)
        hidden = self.hidden_layers(F.relu(self.skip(torch.cat(gated, -1))), current)
        if c.bands == 1:
            return self.output(hidden[0])
        weights, biases = self.output.weight.chunk(c.bands), self.output.bias.chunk(c.bands)
        logits = [F.linear(*arguments) for arguments in zip(hidden, weights, biases, strict=True)]
        return torch.stack(logits, 2)  # (batch, time, bands, classes)

    def hidden_layers(self, skip: Tensor, current: Tensor | None) -> list[Tensor]:
        """The hidden layer of each band, after its ReLU: ``(batch, time, output)``.

        Args:
            skip: ``(batch, time, skip)``, the sum of the skip connections after its ReLU.
            current: as for ``forward``.
        """
        c = self.config
        hidden = list(self.hidden(skip).chunk(c.bands, -1))  # (batch, time, output) each
        for band in range(1, c.bands):
            assert self.below is not None
            assert current is not None
            first = band * (band - 1) // 2
            added = _embedded(self.below, current[:, :, :band], self.classes, first)
            hidden[band] = hidden[band] + added.to(hidden[band].dtype)
        return [F.relu(values) for values in hidden]


def _embedded(table: nn.Embedding, classes: Tensor, count: int, first: int = 0) -> Tensor:
    """Sum of the rows of several bands' classes.

    Args:
        table: blocks of ``count`` rows.
        classes: ``(batch, time, bands)``.
        count: rows of a block.
        first: block of the first band.

    Returns:
        ``(batch, time, width)``.
    """
    blocks = torch.arange(first, first + classes.shape[2], device=classes.device)
    rows = (classes + blocks * count).flatten(0, 1)  # (batch x time, bands)
    return F.embedding_bag(rows, table.weight, mode="sum").unflatten(0, classes.shape[:2])
