"""The random numbers that samples are drawn with: a function of the seed and the position alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Numbers that Philox makes at each step of its counter: four words of 64 bits, two numbers per word.
_STEP = 8


class Uniforms:
    """A sequence of float32 numbers in [0, 1) that depends on ``seed`` only, not on how it is drawn in parts.

    Philox is counter-based (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").

    Args:
        seed: any integer from 0 to 2**128 - 1.
        position: of the first number to give; the numbers before it are not computed.
    """

    def __init__(self, seed: int, position: int = 0) -> None:
        bits = np.random.Philox(key=seed)
        bits.advance(position // _STEP)
        self._generator = np.random.Generator(bits)
        self.draw(position % _STEP)

    def draw(self, count: int) -> NDArray[np.float32]:
        """Give the next ``count`` numbers, ``(count,)``."""
        return self._generator.random(count, dtype=np.float32)
