"""What a prior remembers of the past while codes are drawn one by one."""

from __future__ import annotations

from torch import Tensor


class Cache:
    """For each layer, the tensors that later positions need of earlier ones.

    Args:
        layers: how many.

    Attributes:
        position: positions seen so far.
        layers: what each layer keeps; empty before the first position.
    """

    def __init__(self, layers: int) -> None:
        self.position = 0
        self.layers: list[tuple[Tensor, ...]] = [()] * layers
