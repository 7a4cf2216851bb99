"""The residual block that encoder and conditioning network are built of."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """``x + pointwise(relu(dilated(relu(x))))``, window 3, each output centred on its input.

    Args:
        channels: in and out.
        dilation: of the first convolution.
    """

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.dilated = nn.Conv1d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.pointwise = nn.Conv1d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, channels, time)`` -> ``(batch, channels, time)``."""
        return x + self.pointwise(F.relu(self.dilated(F.relu(x))))
