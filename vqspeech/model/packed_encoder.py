"""Many utterances through the encoder at once, whose codes are those of each one alone.

Utterances are laid one after the other, one row per code. What a strided convolution sees past the end of an utterance
are the zeros that it would be padded with: rows between utterances. The residual blocks, in which most of the work is,
have no rows but those of utterances: what their convolutions see is gathered row by row, and two outputs are made
together (``vqspeech.model.paired_convolution``).
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
from typing import TypeAlias, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from vqspeech.model.encoder import StridedConvolution
from vqspeech.model.paired_convolution import Buffers, PairedConvolution, Pairs
from vqspeech.model.residual import ModulatedBlock, ResidualBlock
from vqspeech.model.vqvae import VQVAE

#: Rows of every product: on a CPU few enough for its caches, on a GPU enough to fill it.
TILE = {"cpu": 128, "cuda": 8192}
#: Rows of zeros between utterances: what a strided convolution sees past an end is less than a row.
_GAP = 1


class _Product:
    """``x @ weight + bias`` of tiles.

    Args:
        weight: ``(inputs, outputs)``.
        bias: ``(outputs,)``.
        scale: of the product, not of the bias.
    """

    def __init__(self, weight: Tensor, bias: Tensor, scale: float = 1.0) -> None:
        self.weight = weight.detach().float().contiguous()  # (inputs, outputs)
        self.bias = bias.detach().float()  # (outputs,)
        self.scale = scale

    def __call__(self, x: Tensor) -> Tensor:
        """``(TILE, inputs)`` -> ``(TILE, outputs)``."""
        return torch.addmm(self.bias, x, self.weight, alpha=self.scale)


class Block:
    """A residual block of either kind on rows.

    Args:
        block: its weights are taken as float32.

    Attributes:
        dilation: rows between the taps.
        offset: of the first tap's row from the output's.
        scale: of the normalised inputs, ``(channels,)``; of no use in a plain block.
        shift: likewise; None in a plain block, whose inputs go through a ReLU.
    """

    def __init__(self, block: ResidualBlock | ModulatedBlock) -> None:
        self.dilation = abs(block.dilated.dilation[0]) if isinstance(block, ResidualBlock) else block.dilation
        self.offset = -block.padding[0]
        self.shift: Tensor | None = None
        if isinstance(block, ResidualBlock):
            taps = block.dilated.weight.permute(2, 1, 0)  # (3, channels, channels)
            self.dilated = PairedConvolution(taps, cast(Tensor, block.dilated.bias))
            self.out = _Product(block.pointwise.weight[:, :, 0].t(), cast(Tensor, block.pointwise.bias))
        else:
            scale, self.shift = block.scale_shift.detach().float().chunk(2)  # (channels,) each
            self.scale = 1 + scale  # (channels,)
            taps = block.dilated.weight.t().unflatten(0, (3, -1))  # (3, channels, channels)
            self.dilated = PairedConvolution(taps, block.dilated.bias)
            self.out = _Product(block.out.weight.t(), block.out.bias)

    def inputs(self, x: Tensor) -> Tensor:
        """What the window is laid over, ``(TILE, channels)``."""
        if self.shift is None:
            return F.relu(x)
        return F.layer_norm(x, x.shape[-1:], self.scale, self.shift)

    def update(self, seen: Tensor, workspace: _Workspace, out: Tensor) -> None:
        """What is added to the rows of pairs.

        Args:
            seen: ``(4, TILE / 2, channels)``, see ``PairedConvolution``.
            workspace: overwritten.
            out: where it goes, ``(TILE, channels)``.
        """
        self.dilated(seen, workspace.hidden.unflatten(0, (2, -1)), workspace.buffers)
        if self.shift is None:
            F.relu_(workspace.hidden)
        else:
            workspace.gelu_()
        torch.addmm(self.out.bias, workspace.hidden, self.out.weight, out=out)


#: What a caller of ``PackedEncoder`` may have for blocks.
Compiler: TypeAlias = Callable[[Sequence[Block]], Callable[[Sequence[Tensor]], None] | None]


class _Workspace:
    """Tensors that the steps of all tiles overwrite: what is allocated anew is not in the cache.

    Args:
        block: any of them.
        tile: rows.
    """

    #: ``gelu(x) = x sigmoid(x (_LINEAR + _CUBIC x²))`` (Hendrycks and Gimpel 2016, the form with tanh, which is
    #: a sigmoid of twice its argument).
    _LINEAR = 2 * math.sqrt(2 / math.pi)
    _CUBIC = 0.044715 * _LINEAR

    def __init__(self, block: Block, tile: int) -> None:
        weights = block.dilated.weights  # (4, channels, channels)
        self.buffers = Buffers(weights, tile // 2)
        self.hidden = weights.new_empty(tile, weights.shape[2])  # (TILE, channels)
        self._linear = torch.full_like(self.hidden, self._LINEAR)  # (TILE, channels)
        self._scratch = torch.empty_like(self.hidden)  # (TILE, channels)

    def gelu_(self) -> None:
        """Of ``hidden``, as ``F.gelu`` with tanh, but a CPU has the sigmoid in a quarter of the time."""
        x = self.hidden  # (TILE, channels)
        torch.addcmul(self._linear, x, x, value=self._CUBIC, out=self._scratch)
        x.mul_(self._scratch.mul_(x).sigmoid_())


class PackedEncoder:
    """Encoder and nearest-code search of a model with a log-mel front end.

    Args:
        network: in evaluation mode. Its weights are copied: changes of them afterwards have no effect here.
        aligned: whether each utterance begins a tile of its own; None tries whether it has to.
        compiled: makes a faster form of the residual blocks, which changes utterances of ``(codes, channels)`` in place
            and each whatever it comes with; None where it has none.

    Attributes:
        aligned: whether it does.

    Raises:
        ValueError: the front end is the waveform.
    """

    def __init__(self, network: VQVAE, *, aligned: bool | None = None, compiled: Compiler | None = None) -> None:
        config = network.config.encoder
        if config.front_end != "log-mel":
            raise ValueError("only of models with a log-mel front end")
        self.encoder = network.encoder
        self.config = config
        self.hop = network.config.code_hop
        codebook = network.quantizer.codebook.detach()  # (codes, dimension)
        self.device = codebook.device
        self.tile = TILE[self.device.type]
        self.strided = []
        for layer in cast("list[StridedConvolution]", list(network.encoder.strided)):
            convolution = layer.convolution
            taps = convolution.weight.permute(2, 1, 0).flatten(0, 1)  # (window x channels in, channels out)
            self.strided.append((convolution.stride[0], layer.padding, _Product(taps, cast(Tensor, convolution.bias))))
        self.blocks = [Block(cast("ResidualBlock | ModulatedBlock", block)) for block in network.encoder.blocks]
        self._compiled = compiled(self.blocks) if compiled else None
        projection = network.encoder.projection  # weight (dimension, channels, 1)
        self.projection = _Product(projection.weight[:, :, 0].t(), cast(Tensor, projection.bias))
        # As in Quantizer.nearest: |v - e|² less |v|², which is the same for every code.
        self.distances = _Product(codebook.t(), codebook.square().sum(1), scale=-2.0)
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
        apart, rows = self._layout(lengths, _GAP)
        x = self._front_end(waveforms, apart, rows)  # (mel frames of the rows, bands)
        for number, (stride, padding, product) in enumerate(self.strided):
            fineness = math.prod(stride for stride, *_ in self.strided[number + 1 :])
            x = self._strided(x, stride, padding, product)  # (rows x strides to come, channels)
            if fineness > 1:
                self._clear(x, apart, fineness)
        spans, rows = self._layout(lengths, 0)
        x = self._blocks(x, apart, spans, rows)  # (rows, channels), now without gaps
        if self.config.instance_norm:
            for begin, end in spans:
                channels = x[begin:end].t().contiguous()  # (channels, codes)
                x[begin:end] = F.layer_norm(channels, channels.shape[-1:]).t()
        found = torch.empty(rows, dtype=torch.long, device=self.device)  # (rows,)
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
        x = torch.zeros(rows * fineness, self.config.mel_bands, device=self.device)  # (mel frames, bands)
        for waveform, (begin, end) in zip(waveforms, spans, strict=True):
            x[begin * fineness : end * fineness] = self.encoder.front_end(waveform[None])[0]
        return x

    def _strided(self, x: Tensor, stride: int, padding: tuple[int, int], product: _Product) -> Tensor:
        """A strided convolution and its activation, ``(rows x stride, channels in)`` -> ``(rows, channels out)``."""
        padded = F.pad(x, (0, 0, *padding))  # (padding + rows x stride + padding, channels in)
        step = stride * x.shape[1]
        rows = len(x) // stride
        made = torch.empty(rows, len(product.bias), device=self.device)  # (rows, channels out)
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
        x = torch.zeros(rows, channels, device=self.device)  # (rows, channels)
        for (first, last), (begin, end) in zip(apart, spans, strict=True):
            x[begin:end] = found[first:last]
        if not self.blocks:
            return x
        if self._compiled:
            self._compiled([x[begin:end] for begin, end in spans])
            return x
        inputs = torch.zeros(rows + 1, channels, device=self.device)  # (rows + 1, channels): the last stays zeros
        pairs = {shape: self._pairs(spans, rows, *shape) for shape in {(b.dilation, b.offset) for b in self.blocks}}
        most = max(len(found.seen) for found in pairs.values())
        updates = torch.empty(most, self.tile, channels, device=self.device)  # (tiles of pairs, TILE, channels)
        seen = torch.empty(4, self.tile // 2, channels, device=self.device)  # (4, TILE / 2, channels)
        workspace = _Workspace(self.blocks[0], self.tile)
        tiles = self._tiles(rows)
        for block in self.blocks:
            for tile in tiles:
                inputs[tile] = block.inputs(x[tile])  # (TILE, channels)
            paired = pairs[block.dilation, block.offset]
            for update, places in zip(updates, paired.seen, strict=False):  # (TILE, channels), (2 TILE,)
                torch.index_select(inputs, 0, places, out=seen.flatten(0, 1))
                block.update(seen, workspace, update)
            for tile in tiles:
                x[tile] += updates.flatten(0, 1).index_select(0, paired.place[tile])  # (TILE, channels)
        return x

    def _pairs(self, spans: Sequence[tuple[int, int]], rows: int, dilation: int, offset: int) -> Pairs:
        made = Pairs.of(spans, rows, dilation=dilation, offset=offset, tile=self.tile, aligned=self.aligned)
        return Pairs(made.seen.to(self.device), made.place.to(self.device))

    def _clear(self, x: Tensor, spans: Sequence[tuple[int, int]], fineness: int) -> None:
        """Write zeros in the rows between utterances."""
        row = 0
        for begin, end in spans:
            x[row * fineness : begin * fineness] = 0
            row = end
        x[row * fineness :] = 0

    def _nearest(self, x: Tensor) -> Tensor:
        """``(TILE, channels)`` -> ``(TILE,)`` int64."""
        z = self.projection(x)  # (TILE, dimension)
        if self.config.frame_norm:
            z = F.layer_norm(z, z.shape[-1:])
        return self.distances(z).argmin(1)  # of (TILE, codes)

    def _indifferent_to_place(self) -> bool:
        """Whether equal rows have equal results, to the bit, in all places of a tile."""
        generator = torch.Generator().manual_seed(0)

        def row(width: int) -> Tensor:
            return torch.randn(1, width, generator=generator).to(self.device)

        def same(function: Callable[[Tensor], Tensor], width: int) -> bool:
            made = function(row(width).expand(self.tile, width).contiguous())
            return bool((made == made[0]).all())

        def same_pairs(block: Block) -> bool:
            half = self.tile // 2
            seen = torch.stack([row(block.out.weight.shape[0]).expand(half, -1) for _ in range(4)])  # as in _blocks
            made = torch.empty(2, half, seen.shape[2], device=self.device)  # (2, TILE / 2, channels)
            block.update(seen, _Workspace(block, self.tile), made.flatten(0, 1))
            return bool((made == made[:, :1]).all())

        products = [product for _, _, product in self.strided]
        blocks = [] if self._compiled else self.blocks
        products += [block.out for block in blocks]
        products += [self.projection, self.distances]
        steps: list[tuple[Callable[[Tensor], Tensor], int]] = [
            (product, product.weight.shape[0]) for product in products
        ]
        steps += [(block.inputs, block.out.weight.shape[1]) for block in blocks]
        return all(same(function, width) for function, width in steps) and all(map(same_pairs, blocks))
