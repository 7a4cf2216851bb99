"""The compiled form of a matrix and a bias that rows of a stream are put through, for the CPU."""

from __future__ import annotations

import torch
from torch import Tensor

from vqspeech.generation.native_engine import fits_half, floats, instruction_sets

try:
    from vqspeech.generation._native import Projection
except ImportError:  # not built, or built before this was written
    Projection = None  # type: ignore[assignment, misc]


class NativeProjection:
    """``x W' + b`` for few rows at a time, whose cost is that of reading ``W``.

    Args:
        weight: ``(outputs, inputs)``, copied.
        bias: ``(outputs,)``.
        half: store the weights in fp16, which halves what is read and rounds each to 11 bits; products and sums stay
            fp32. Not done where a weight is too large for it or the processor has no instruction that reads it.
        instruction_set: one of ``native_engine.instruction_sets("fp32")``; the best if not given.
    """

    def __init__(self, weight: Tensor, bias: Tensor, *, half: bool = False, instruction_set: str | None = None) -> None:
        level = instruction_set or instruction_sets("fp32")[0]
        self.half = half and fits_half([weight], level)
        self._native = Projection(level=level, weight=floats(weight), bias=floats(bias), half=self.half)

    def windows(self, rows: Tensor, hop: int) -> Tensor:
        """As ``streaming.layers.Projection``. Every row is computed in the same order, however many come together."""
        return torch.from_numpy(self._native.apply(rows.numpy(), hop)[:, : self._native.outputs])


def native_projection(weight: Tensor, bias: Tensor, *, half: bool = False) -> NativeProjection | None:
    """The compiled form; None where there is none."""
    if (
        Projection is None
        or not instruction_sets("fp32")
        or weight.device.type != "cpu"
        or weight.dtype != torch.float32
    ):
        return None
    return NativeProjection(weight, bias, half=half)
