"""The compiled form of an encoder's residual blocks, for the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from vqspeech.generation.native_engine import instruction_sets, stacked
from vqspeech.model.packed_encoder import Block

try:
    from vqspeech.generation._native import EncoderBlocks
except ImportError:  # not built, or built before this was written
    EncoderBlocks = None  # type: ignore[assignment, misc]


class NativeBlocks:
    """Residual blocks with normalisation, convolution, activation and sum in one pass over a few rows at a time.

    Every utterance is computed by itself, and every row of it in the same order of operations.

    Args:
        blocks: of one width and one kind; their weights are copied.
        instruction_set: one of ``native_engine.instruction_sets("fp32")``; the best if not given.

    Raises:
        ValueError: the kernel has no such blocks.
    """

    def __init__(self, blocks: Sequence[Block], *, instruction_set: str | None = None) -> None:
        modulated = blocks[0].shift is not None
        self._native = EncoderBlocks(
            level=instruction_set or instruction_sets("fp32")[0],
            dilations=[block.dilation for block in blocks],
            offsets=[block.offset for block in blocks],
            taps=stacked([block.dilated.weights.transpose(1, 2) for block in blocks]),  # (blocks, 4, out, in)
            bias=stacked([block.dilated.bias for block in blocks]),  # (blocks, channels)
            out=stacked([block.out.weight.t() for block in blocks]),  # (blocks, out, in)
            out_bias=stacked([block.out.bias for block in blocks]),  # (blocks, channels)
            # (blocks, channels) each
            scale=stacked([block.scale for block in blocks]) if modulated else None,
            shift=stacked([block.shift for block in blocks if block.shift is not None]) if modulated else None,
        )

    def __call__(self, utterances: Sequence[Tensor]) -> None:
        """Apply the blocks in place, on as many threads as PyTorch has.

        Args:
            utterances: each ``(codes, channels)`` float32, contiguous, on the CPU.
        """
        rows = [utterance.numpy() for utterance in utterances]  # (codes, channels) each
        threads = min(torch.get_num_threads(), len(rows))
        if threads == 1:
            for one in rows:
                self._native.apply(one)
            return
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(self._native.apply, rows))


def native_blocks(blocks: Sequence[Block]) -> NativeBlocks | None:
    """The compiled form of blocks; None where there is none."""
    if not blocks or EncoderBlocks is None or not instruction_sets("fp32") or blocks[0].out.weight.is_cuda:
        return None
    try:
        return NativeBlocks(blocks)
    except ValueError:  # a width that is no whole number of vectors
        return None
