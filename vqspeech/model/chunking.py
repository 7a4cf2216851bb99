"""Chunked inference: a convolutional network applied to blocks with enough context that there is no seam."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def apply_chunked(
    network: Callable[[Tensor], Tensor], signal: Tensor, *, block: int, context: int, scale: float
) -> Tensor:
    """Apply ``network`` to overlapping blocks and keep of each what does not depend on its edges.

    Args:
        network: maps ``(1, channels..., time)`` to ``(1, channels, scale x time)``; its output at a time depends on no
            input further away than ``context``.
        signal: ``(1, channels..., time)``.
        block: input samples per block, which bound the memory.
        context: input samples added to both sides of each block. ``block`` and ``context`` times ``scale`` are whole.
        scale: output samples per input sample.

    Returns:
        ``(1, channels, scale x time)``, up to rounding what ``network(signal)`` is.
    """
    time = signal.shape[-1]
    if time <= block + 2 * context:
        return network(signal)
    chunks = []
    for start in range(0, time, block):
        left = min(start, context)
        output = network(signal[..., start - left : start + block + context])
        first = round(left * scale)
        chunks.append(output[..., first : first + round(min(block, time - start) * scale)])
    return torch.cat(chunks, -1)
