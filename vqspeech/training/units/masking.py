"""Spans of the input that are masked, as in HuBERT and wav2vec 2.0."""

from __future__ import annotations

import torch
from torch import Tensor


def draw_mask(batch: int, positions: int, *, share: float, span: int, device: torch.device) -> Tensor:
    """Draw spans at random; they may overlap.

    Every position begins a span with the same probability, chosen so that a position in the middle is masked with
    probability ``share`` (Baevski et al. 2020, "wav2vec 2.0", section 3.1, draw starts in this way).

    Args:
        batch: rows.
        positions: in each row.
        share: of the positions masked, above 0 and below 1.
        span: positions in a row that are masked together.
        device: of the result.

    Returns:
        ``(batch, positions)`` bool, at least one position in each row True and, but for rows of one, one False.
    """
    start = 1 - (1 - share) ** (1 / span)
    starts = torch.rand(batch, positions + span - 1, device=device) < start
    # A position is masked if any of the span starts that reach it was drawn.
    mask: Tensor = starts.unfold(1, span, 1).any(2)  # (batch, positions)
    rows = torch.arange(batch, device=device)
    chosen = torch.randint(positions, (batch,), device=device)
    mask[rows, chosen] = True
    if positions > 1:
        mask[rows, (chosen + positions // 2) % positions] = False
    return mask
