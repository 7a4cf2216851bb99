"""The networks' convolutions as they run over a stream: rows in, and out those whose context is complete.

Each holds the rows that outputs to come still need, no more. Before the stream there are zeros, as offline; after it
the caller appends silence. Rows are time-major, ``(time, channels)``.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqspeech.model.residual import ModulatedBlock, ResidualBlock

#: One of the blocks of encoder and conditioning network.
Block = ModulatedBlock | ResidualBlock


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


def streamed_blocks(blocks: nn.ModuleList, channels: int, speaker: Tensor | None = None) -> list[StreamedBlock]:
    """Each block of a list, fresh."""
    return [StreamedBlock(cast(Block, block), channels, speaker) for block in blocks]
