"""The networks' convolutions as they run over a stream: rows in, and out those whose context is complete.

Each holds the rows that outputs to come still need, no more. Before the stream there are zeros, as offline; after it
the caller appends silence. Rows are time-major, ``(time, channels)``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqspeech.generation.native_streamed_blocks import NativeStack, native_stack
from vqspeech.model.residual import Block, ModulatedBlock


class Stack(Protocol):
    """Residual blocks that follow one another, over a stream."""

    def push(self, rows: Tensor) -> Tensor:
        """``(time, channels)`` -> ``(rows whose context is complete, channels)``."""
        ...


class StreamedConvolution:
    """A convolution, strided or not.

    Args:
        convolution: without padding of its own, or with what ``left`` says.
        left: rows of zeros before the first.
    """

    def __init__(self, convolution: nn.Conv1d, left: int) -> None:
        self._weight, self._bias = convolution.weight, convolution.bias
        self._kernel, self._stride = convolution.kernel_size[0], convolution.stride[0]
        self._rows = self._weight.new_zeros(left, convolution.in_channels)

    def push(self, rows: Tensor) -> Tensor:
        """``(time, channels in)`` -> ``(windows that are complete, channels out)``."""
        self._rows = torch.cat([self._rows, rows])
        count = max(0, (len(self._rows) - self._kernel) // self._stride + 1)
        if not count:
            return self._weight.new_zeros(0, len(self._weight))
        made = F.conv1d(self._rows.t()[None], self._weight, self._bias, self._stride)[0].t()
        self._rows = self._rows[count * self._stride :].clone()
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


class Stacks:
    """Makes stacks of a network's blocks: compiled ones where there are such, and packed once for all voices.

    Args:
        native: whether compiled ones are wanted; PyTorch's are the reference.
    """

    def __init__(self, *, native: bool = False) -> None:
        self._native = native
        self._packed: dict[tuple[nn.Module, ...], NativeStack | None] = {}

    def open(self, blocks: Iterable[nn.Module], channels: int, speaker: Tensor | None = None) -> Stack:
        """Begin a stream; arguments as for ``StreamedStack``."""
        chosen = tuple(cast(Block, block) for block in blocks)
        if chosen not in self._packed:
            self._packed[chosen] = native_stack(chosen) if self._native else None
        packed = self._packed[chosen]
        return StreamedStack(chosen, channels, speaker) if packed is None else packed.open(speaker)
