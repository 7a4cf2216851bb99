"""Colours for codes: near in the codebook, near in colour."""

from __future__ import annotations

import colorsys
import math

import torch
from torch import Tensor


def code_colours(codebook: Tensor) -> list[str]:
    """A colour for each code, by the first three principal components of the codebook.

    The angle in the plane of the first two is the hue; lightness is the rank in the third.

    Args:
        codebook: ``(codes, dimension)``.

    Returns:
        ``#rrggbb`` for each code.
    """
    centred = (codebook - codebook.mean(0)).double().cpu()
    _, _, axes = torch.linalg.svd(centred, full_matrices=False)
    first, second, *third = (centred @ axes[:3].T).T  # each (codes,)
    hues = torch.atan2(second, first) / (2 * math.pi) % 1
    ranks = third[0].argsort().argsort() / len(centred) if third else torch.full_like(first, 0.5)
    colours = []
    for hue, rank in zip(hues.tolist(), ranks.tolist(), strict=True):
        red, green, blue = (round(255 * part) for part in colorsys.hls_to_rgb(hue, 0.42 + 0.3 * rank, 0.62))
        colours.append(f"#{red:02x}{green:02x}{blue:02x}")
    return colours
