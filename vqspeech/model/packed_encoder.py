"""Many utterances through the encoder at once, whose codes are those of each one alone.

Utterances are laid one after the other, one row per code. What a convolution sees past the end of an utterance are the
zeros that it would be padded with: its windows are gathered from a buffer with rows of zeros between utterances, enough
of them for any convolution, so that no product is of anything but utterances.
What depends on the whole utterance (the log-mel front end with its normalisation, instance normalisation) is computed
for each by itself.

A matrix product may round otherwise when it has another number of rows, and at the border between two codes the nearest
one would then change with the company an utterance is in. So every product here is of ``TILE`` rows, whether one
utterance is encoded or a hundred. What is left is that a row's sum might depend on its place in the tile; that is tried
once for every matrix, and where it does, each utterance begins a tile of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from vqspeech.model.encoder import StridedConvolution
from vqspeech.model.residual import ModulatedBlock, ResidualBlock
from vqspeech.model.vqvae import VQVAE

#: Rows of every product: on a CPU few enough for its caches, on a GPU enough to fill it.
TILE = {"cpu": 128, "cuda": 8192}


class _Product:
    """``x @ weight + bias`` of tiles.

    Args:
        weight: ``(inputs, outputs)``.
        bias: ``(outputs,)``.
        scale: of the product, not of the bias.
    """

    def __init__(self, weight: Tensor, bias: Tensor, scale: float = 1.0) -> None:
        self.weight = weight.detach().float().contiguous()
        self.bias = bias.detach().float()
        self.scale = scale

    def __call__(self, x: Tensor) -> Tensor:
        """``(TILE, inputs)`` -> ``(TILE, outputs)``."""
        return torch.addmm(self.bias, x, self.weight, alpha=self.scale)


class _Block:
    """A residual block of either kind on rows."""

    def __init__(self, block: ResidualBlock | ModulatedBlock) -> None:
        self.dilation = abs(block.dilated.dilation[0]) if isinstance(block, ResidualBlock) else block.dilation
        #: The row that the first tap of a row's window is of.
        self.offset = -block.padding[0]
        self.shift: Tensor | None = None
        if isinstance(block, ResidualBlock):
            taps = block.dilated.weight.permute(2, 1, 0).flatten(0, 1)  # (3 channels, channels)
            self.dilated = _Product(taps, cast(Tensor, block.dilated.bias))
            self.out = _Product(block.pointwise.weight[:, :, 0].t(), cast(Tensor, block.pointwise.bias))
        else:
            scale, self.shift = block.scale_shift.detach().float().chunk(2)
            self.scale = 1 + scale
            self.dilated = _Product(block.dilated.weight.t(), block.dilated.bias)
            self.out = _Product(block.out.weight.t(), block.out.bias)

    def inputs(self, x: Tensor) -> Tensor:
        """What the window is laid over, ``(TILE, channels)``."""
        if self.shift is None:
            return F.relu(x)
        return F.layer_norm(x, x.shape[-1:], self.scale, self.shift)

    def update(self, window: Tensor) -> Tensor:
        """``(TILE, 3 channels)`` -> what is added to the block's input, ``(TILE, channels)``."""
        hidden = self.dilated(window)
        hidden = F.relu_(hidden) if self.shift is None else F.gelu(hidden, approximate="tanh")
        return self.out(hidden)


class PackedEncoder:
    """Encoder and nearest-code search of a model with a log-mel front end.

    Args:
        network: in evaluation mode. Its weights are copied: changes of them afterwards have no effect here.
        aligned: whether each utterance begins a tile of its own; None tries whether it has to.

    Attributes:
        aligned: whether it does.

    Raises:
        ValueError: the front end is the waveform.
    """

    def __init__(self, network: VQVAE, *, aligned: bool | None = None) -> None:
        config = network.config.encoder
        if config.front_end != "log-mel":
            raise ValueError("only of models with a log-mel front end")
        self.encoder = network.encoder
        self.config = config
        self.hop = network.config.code_hop
        codebook = network.quantizer.codebook.detach()
        self.device = codebook.device
        self.tile = TILE[self.device.type]
        self.strided = []
        for layer in cast("list[StridedConvolution]", list(network.encoder.strided)):
            convolution = layer.convolution
            taps = convolution.weight.permute(2, 1, 0).flatten(0, 1)  # (window x channels in, channels out)
            self.strided.append((convolution.stride[0], layer.padding, _Product(taps, cast(Tensor, convolution.bias))))
        self.blocks = [_Block(cast("ResidualBlock | ModulatedBlock", block)) for block in network.encoder.blocks]
        projection = network.encoder.projection
        self.projection = _Product(projection.weight[:, :, 0].t(), cast(Tensor, projection.bias))
        # As in Quantizer.nearest: |v - e|² less |v|², which is the same for every code.
        self.distances = _Product(codebook.t(), codebook.square().sum(1), scale=-2.0)
        #: Rows of zeros between utterances.
        self.gap = max([1, *(max(-block.offset, block.offset + 2 * block.dilation) for block in self.blocks)])
        with torch.no_grad():
            self.aligned = not self._indifferent_to_place() if aligned is None else aligned

    @torch.no_grad()
    def codes(self, waveforms: Sequence[Tensor]) -> list[Tensor]:
        """The codes of utterances.

        Args:
            waveforms: pre-emphasised, each ``(samples,)``, a multiple of the samples per code and not empty.

        Returns:
            Each ``(codes,)`` int64.
        """
        if not waveforms:
            return []
        lengths = [len(waveform) // self.hop for waveform in waveforms]
        apart, rows = self._layout(lengths, self.gap)
        x = self._front_end(waveforms, apart, rows)
        for number, (stride, padding, product) in enumerate(self.strided):
            fineness = math.prod(stride for stride, *_ in self.strided[number + 1 :])
            x = self._strided(x, stride, padding, product)
            if fineness > 1:
                self._clear(x, apart, fineness)
        spans, rows = self._layout(lengths, 0)
        x = self._blocks(x, apart, spans, rows)
        if self.config.instance_norm:
            for begin, end in spans:
                channels = x[begin:end].t().contiguous()  # (channels, codes)
                x[begin:end] = F.layer_norm(channels, channels.shape[-1:]).t()
        found = torch.empty(rows, dtype=torch.long, device=self.device)
        for tile in self._tiles(rows):
            found[tile] = self._nearest(x[tile])
        return [found[begin:end] for begin, end in spans]

    def _layout(self, lengths: Sequence[int], gap: int) -> tuple[list[tuple[int, int]], int]:
        """First row of each utterance and the one after its last; rows in all, a whole number of tiles."""
        step = self.tile if self.aligned else 1
        spans, row = [], 0
        for length in lengths:
            row = -(-row // step) * step
            spans.append((row, row + length))
            row += length + gap
        return spans, -(-row // self.tile) * self.tile

    def _tiles(self, rows: int) -> list[slice]:
        return [slice(first, first + self.tile) for first in range(0, rows, self.tile)]

    def _front_end(self, waveforms: Sequence[Tensor], spans: Sequence[tuple[int, int]], rows: int) -> Tensor:
        """Log-mel frames, ``(frames, bands)``, in the place of the rows that they become."""
        fineness = self.hop // self.config.mel_hop
        x = torch.zeros(rows * fineness, self.config.mel_bands, device=self.device)
        for waveform, (begin, end) in zip(waveforms, spans, strict=True):
            x[begin * fineness : end * fineness] = self.encoder.front_end(waveform[None])[0]
        return x

    def _strided(self, x: Tensor, stride: int, padding: tuple[int, int], product: _Product) -> Tensor:
        """A strided convolution and its activation, ``(rows x stride, channels in)`` -> ``(rows, channels out)``."""
        padded = F.pad(x, (0, 0, *padding))
        step = stride * x.shape[1]
        rows = len(x) // stride
        made = torch.empty(rows, len(product.bias), device=self.device)
        for tile in self._tiles(rows):
            # Windows of two strides, which overlap: (TILE, 2 stride x channels in).
            window = padded.as_strided((self.tile, 2 * step), (step, 1), tile.start * step).contiguous()
            made[tile] = F.leaky_relu(product(window), 0.1)
        return made

    def _blocks(
        self, found: Tensor, apart: Sequence[tuple[int, int]], spans: Sequence[tuple[int, int]], rows: int
    ) -> Tensor:
        """The residual blocks.

        Args:
            found: what they are given, ``(rows with gaps, channels)``.
            apart: rows of each utterance in it.
            spans: the rows that it becomes.
            rows: of the result.

        Returns:
            ``(rows, channels)``.
        """
        channels = found.shape[1]
        x = torch.zeros(rows, channels, device=self.device)
        for (first, last), (begin, end) in zip(apart, spans, strict=True):
            x[begin:end] = found[first:last]
        # In its middle the rows of ``found``; what lies between utterances stays zero.
        buffer = torch.zeros(len(found) + 2 * self.gap, channels, device=self.device)
        window = torch.zeros(self.tile, 3, channels, device=self.device)
        tiles = list(zip(self._tiles(rows), self._pieces(apart, spans, rows), strict=True))
        for block in self.blocks:
            for tile, pieces in tiles:
                inputs = block.inputs(x[tile])
                for begin, end, place in pieces:
                    buffer[place : place + end - begin] = inputs[begin:end]
            steps = (channels, block.dilation * channels, 1)
            for tile, pieces in tiles:
                for begin, end, place in pieces:
                    first = (place + block.offset) * channels
                    window[begin:end] = buffer.as_strided((end - begin, 3, channels), steps, first)
                x[tile] += block.update(window.view(self.tile, -1))
        return x

    def _pieces(
        self, apart: Sequence[tuple[int, int]], spans: Sequence[tuple[int, int]], rows: int
    ) -> list[list[tuple[int, int, int]]]:
        """For each tile, which of its rows lie one after the other in the buffer, and from where on there."""
        pieces: list[list[tuple[int, int, int]]] = [[] for _ in self._tiles(rows)]
        for (place, _), (begin, end) in zip(apart, spans, strict=True):
            for number in range(begin // self.tile, -(-end // self.tile)):
                first, last = max(begin, number * self.tile), min(end, (number + 1) * self.tile)
                start = number * self.tile
                pieces[number].append((first - start, last - start, self.gap + place + first - begin))
        return pieces

    def _clear(self, x: Tensor, spans: Sequence[tuple[int, int]], fineness: int) -> None:
        """Write zeros in the rows between utterances."""
        row = 0
        for begin, end in spans:
            x[row * fineness : begin * fineness] = 0
            row = end
        x[row * fineness :] = 0

    def _nearest(self, x: Tensor) -> Tensor:
        """``(TILE, channels)`` -> ``(TILE,)`` int64."""
        z = self.projection(x)
        if self.config.frame_norm:
            z = F.layer_norm(z, z.shape[-1:])
        return self.distances(z).argmin(1)

    def _indifferent_to_place(self) -> bool:
        """Whether equal rows have equal results, to the bit, in all places of a tile."""
        generator = torch.Generator().manual_seed(0)

        def same(function: Callable[[Tensor], Tensor], width: int) -> bool:
            row = torch.randn(1, width, generator=generator).to(self.device)
            made = function(row.expand(self.tile, width).contiguous())
            return bool((made == made[0]).all())

        products = [product for _, _, product in self.strided]
        products += [product for block in self.blocks for product in (block.dilated, block.out)]
        products += [self.projection, self.distances]
        steps: list[tuple[Callable[[Tensor], Tensor], int]] = [
            (product, product.weight.shape[0]) for product in products
        ]
        steps += [(block.inputs, block.out.weight.shape[1]) for block in self.blocks]
        steps += [(block.update, block.dilated.weight.shape[0]) for block in self.blocks]
        return all(same(function, width) for function, width in steps)
