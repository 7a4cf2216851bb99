"""The networks' layers as they run over a stream: rows in, and out those whose context is complete.

Each holds the rows that outputs to come still need, no more. Before the stream there are zeros, as offline; after it
the caller appends silence. Rows are time-major, ``(time, channels)``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqspeech.generation.native_projection import native_projection
from vqspeech.generation.native_streamed_blocks import NativeStack, native_stack
from vqspeech.model.residual import Block, ModulatedBlock


class Stack(Protocol):
    """Residual blocks that follow one another, over a stream."""

    def push(self, rows: Tensor) -> Tensor:
        """``(time, channels)`` -> ``(rows whose context is complete, channels)``."""
        ...


class Projection(Protocol):
    """A matrix and a bias."""

    def windows(self, rows: Tensor, hop: int) -> Tensor:
        """Put windows of rows that follow one another through it.

        Args:
            rows: contiguous; as many of their numbers as the matrix has inputs are a window.
            hop: numbers from the begin of a window to that of the next.

        Returns:
            ``(windows, outputs)``.
        """
        ...


class TorchProjection:
    """The same in PyTorch.

    Args:
        weight: ``(outputs, inputs)``.
        bias: ``(outputs,)``.
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        self._weight, self._bias = weight, bias

    def windows(self, rows: Tensor, hop: int) -> Tensor:
        """As ``Projection``."""
        inputs = self._weight.shape[1]
        if rows.numel() < inputs:
            return rows.new_zeros(0, len(self._weight))
        return F.linear(rows.reshape(-1).unfold(0, inputs, hop), self._weight, self._bias)


class StreamedConvolution:
    """A convolution, strided or not.

    Args:
        convolution: without padding of its own, or with what ``left`` says.
        left: rows of zeros before the first.
        layers: makes its product.
    """

    def __init__(self, convolution: nn.Conv1d, left: int, layers: Layers) -> None:
        self._kernel, self._stride = convolution.kernel_size[0], convolution.stride[0]
        self._product = layers.projection(convolution)
        self._rows = convolution.weight.new_zeros(left, convolution.in_channels)

    def push(self, rows: Tensor) -> Tensor:
        """``(time, channels in)`` -> ``(windows that are complete, channels out)``."""
        self._rows = torch.cat([self._rows, rows])
        made = self._product.windows(self._rows, self._stride * self._rows.shape[1])
        self._rows = self._rows[len(made) * self._stride :]
        return made


class StreamedBlock:
    """A residual block.

    Args:
        block: with a dilation of either sign.
        channels: in and out.
        speaker: ``(speaker_dimension,)``, of a block that it modulates.
    """

    def __init__(self, block: Block, channels: int, speaker: Tensor | None = None) -> None:
        self._block = block
        past, self._ahead = block.padding
        zeros = next(block.parameters()).new_zeros
        self._window = zeros(past, channels)  # normalised or rectified, from the first that outputs to come need
        self._waiting = zeros(0, channels)  # as they came, until what follows them is known
        self._modulation = None
        if isinstance(block, ModulatedBlock):
            scale, shift = block.scale_and_shift(None if speaker is None else speaker[None])
            self._modulation = scale.reshape(1, 1, -1), shift.reshape(1, 1, -1)

    def push(self, rows: Tensor) -> Tensor:
        """``(time, channels)`` -> ``(rows whose context is complete, channels)``."""
        block = self._block
        if isinstance(block, ModulatedBlock):
            assert self._modulation is not None
            inner = block.modulated(rows[None], *self._modulation)[0]
        else:
            inner = F.relu(rows)
        self._window = torch.cat([self._window, inner])
        self._waiting = torch.cat([self._waiting, rows])
        count = max(0, len(self._window) - 2 * block.dilation)
        if not count:
            return rows[:0]
        if isinstance(block, ModulatedBlock):
            mixed = block.mix(self._window[None])[0]
        else:
            mixed = block.mix(self._window.t()[None])[0].t()
        made = self._waiting[:count] + mixed
        self._window, self._waiting = self._window[count:].clone(), self._waiting[count:].clone()
        return made


class StreamedStack:
    """Residual blocks one after the other, in PyTorch; see ``Stack``.

    Args:
        blocks: of encoder or conditioning network; none pass rows on as they are.
        channels: in and out.
        speaker: as for ``StreamedBlock``.
    """

    def __init__(self, blocks: Iterable[Block], channels: int, speaker: Tensor | None = None) -> None:
        self._blocks = [StreamedBlock(block, channels, speaker) for block in blocks]

    def push(self, rows: Tensor) -> Tensor:
        """``(time, channels)`` -> ``(rows whose context is complete, channels)``."""
        for block in self._blocks:
            rows = block.push(rows)
        return rows


class Layers:
    """Makes a network's layers: compiled ones where there are such, and packed once for all voices.

    Args:
        native: whether compiled ones are wanted; PyTorch's are the reference.
        half: whether those may store their weights in fp16.
    """

    def __init__(self, *, native: bool = False, half: bool = False) -> None:
        self._native, self._half = native, half
        self._stacks: dict[tuple[nn.Module, ...], NativeStack | None] = {}
        self._projections: dict[nn.Module, Projection] = {}

    def stack(self, blocks: Iterable[nn.Module], channels: int, speaker: Tensor | None = None) -> Stack:
        """Begin a stream of residual blocks; arguments as for ``StreamedStack``."""
        chosen = tuple(cast(Block, block) for block in blocks)
        if chosen not in self._stacks:
            self._stacks[chosen] = native_stack(chosen, half=self._half) if self._native else None
        packed = self._stacks[chosen]
        return StreamedStack(chosen, channels, speaker) if packed is None else packed.open(speaker)

    def projection(self, module: nn.Linear | nn.Conv1d) -> Projection:
        """The product of a linear layer, or of a convolution whose windows are rows of ``(taps, channels in)``."""
        if module not in self._projections:
            weight = module.weight if module.weight.ndim == 2 else module.weight.transpose(1, 2).flatten(1)
            assert module.bias is not None
            native = native_projection(weight, module.bias, half=self._half) if self._native else None
            self._projections[module] = native or TorchProjection(weight, module.bias)
        return self._projections[module]

    def linear(self, module: nn.Linear | nn.Conv1d, rows: Tensor) -> Tensor:
        """``(time, inputs)`` through a linear layer, or a convolution of window 1: ``(time, outputs)``."""
        return self.projection(module).windows(rows.contiguous(), rows.shape[1])
