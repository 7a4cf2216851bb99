"""The compiled form of residual blocks over a stream, for the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from vqspeech.generation.native_engine import fits_half, instruction_sets, stacked
from vqspeech.model.residual import Block, ModulatedBlock

try:
    from vqspeech.generation._native import BlockStack, BlockStream
except ImportError:  # not built, or built before this was written
    BlockStack = None  # type: ignore[assignment, misc]


class NativeStack:
    """Residual blocks that follow one another, packed once for any number of streams and speakers.

    Args:
        blocks: of one width and one kind; their weights are copied.
        half: store the weights in fp16, see ``native_projection.NativeProjection``.
        instruction_set: one of ``native_engine.instruction_sets("fp32")``; the best if not given.

    Attributes:
        half: whether they are.

    Raises:
        ValueError: the kernel has no such blocks.
    """

    def __init__(self, blocks: Sequence[Block], *, half: bool = False, instruction_set: str | None = None) -> None:
        self._blocks = blocks
        if len({type(block) for block in blocks}) != 1:
            raise ValueError("blocks of one kind, at least one")
        level = instruction_set or instruction_sets("fp32")[0]
        self.half = half and fits_half([weight for block in blocks for weight in (_taps(block), _out(block))], level)
        self._native = BlockStack(
            level=level,
            half=self.half,
            dilations=[block.dilation for block in blocks],
            past=[block.padding[0] for block in blocks],
            dilated=stacked([_taps(block) for block in blocks]),
            bias=stacked([cast(Tensor, block.dilated.bias) for block in blocks]),
            out=stacked([_out(block) for block in blocks]),
            out_bias=stacked([_out_bias(block) for block in blocks]),
        )

    def open(self, speaker: Tensor | None = None) -> NativeStackStream:
        """Begin a stream.

        Args:
            speaker: ``(speaker_dimension,)``, of blocks that it modulates.
        """
        vector = None if speaker is None else speaker[None]
        modulations = [block.scale_and_shift(vector) for block in self._blocks if isinstance(block, ModulatedBlock)]
        if not modulations:
            return NativeStackStream(BlockStream(self._native, None, None))
        scale = stacked([1 + scale.reshape(-1) for scale, _ in modulations])  # (blocks, channels)
        shift = stacked([shift.reshape(-1) for _, shift in modulations])  # (blocks, channels)
        return NativeStackStream(BlockStream(self._native, scale, shift))


class NativeStackStream:
    """One stream of a ``NativeStack``. Every row is computed in the same order, however many come together."""

    def __init__(self, native: BlockStream) -> None:
        self._native = native

    def push(self, rows: Tensor) -> Tensor:
        """``(time, channels)`` -> ``(rows whose context is complete, channels)``."""
        return torch.from_numpy(self._native.push(rows.numpy()))


def native_stack(blocks: Sequence[Block], *, half: bool = False) -> NativeStack | None:
    """The compiled form of blocks; None where there is none."""
    if not blocks or BlockStack is None or not instruction_sets("fp32"):
        return None
    weight = blocks[0].dilated.weight
    if weight.device.type != "cpu" or weight.dtype != torch.float32:
        return None
    try:
        return NativeStack(blocks, half=half)
    except ValueError:  # a width that is no whole number of vectors
        return None


def _taps(block: Block) -> Tensor:
    """``(channels out, 3 channels in)``, the earliest tap first."""
    weight = block.dilated.weight
    return weight if isinstance(block, ModulatedBlock) else weight.transpose(1, 2).flatten(1)


def _out(block: Block) -> Tensor:
    """``(channels out, channels in)``."""
    return block.out.weight if isinstance(block, ModulatedBlock) else block.pointwise.weight[..., 0]


def _out_bias(block: Block) -> Tensor:
    return block.out.bias if isinstance(block, ModulatedBlock) else cast(Tensor, block.pointwise.bias)
