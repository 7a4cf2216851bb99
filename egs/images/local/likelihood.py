"""What a pixel costs given its codes: a discretised logistic distribution about the decoder's mean.

Its scale, one per channel, is fitted to held-out images that are not those it is measured on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit

Floats = NDArray[np.float64]


def logistic_bits(values: NDArray[np.uint8], means: Floats, scale: float, levels: int) -> Floats:
    """``-log2 P(value)``, where P is the logistic's mass between half a level below and half a level above.

    Args:
        values: any shape; the lowest and the highest level also take the mass beyond them.
        means: of the same shape, in levels.
        scale: of the logistic, in levels.
        levels: how many there are.
    """
    above = np.where(values == levels - 1, np.inf, values + 0.5)
    below = np.where(values == 0, -np.inf, values - 0.5)
    upper, lower = (above - means) / scale, (below - means) / scale
    # sigma(u) - sigma(l) = sigma(-l) - sigma(-u): on the side of the mean where neither is near 1.
    flip = upper + lower > 0
    upper, lower = np.where(flip, -lower, upper), np.where(flip, -upper, lower)
    return -np.log2(np.maximum(expit(upper) - expit(lower), 1e-12))


def fitted_scale(values: NDArray[np.uint8], means: Floats, levels: int) -> float:
    """The scale under which ``values`` cost least."""

    def cost(log_scale: float) -> float:
        return float(logistic_bits(values, means, float(np.exp(log_scale)), levels).mean())

    return float(np.exp(minimize_scalar(cost, bounds=(np.log(0.05), np.log(levels)), method="bounded").x))
