"""The residual blocks that encoder and conditioning network are built of.

A dilation is signed. A positive one makes the window of three taps centred (``t - d``, ``t``, ``t + d``); a negative
one makes the block causal (``t - 2d``, ``t - d``, ``t``), so that a stack of blocks has a long past and a bounded
look-ahead.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def reach(dilations: Sequence[int]) -> tuple[int, int]:
    """Frames before and after its own that can change an output of a stack of blocks of these signed dilations."""
    past = sum(d if d > 0 else -2 * d for d in dilations)
    return past, sum(d for d in dilations if d > 0)


class ResidualBlock(nn.Module):
    """``x + pointwise(relu(dilated(relu(x))))``, window 3.

    Args:
        channels: in and out.
        dilation: of the first convolution; signed.
    """

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.dilation = abs(dilation)
        self.padding = reach([dilation])
        self.dilated = nn.Conv1d(channels, channels, 3, dilation=abs(dilation))
        self.pointwise = nn.Conv1d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, channels, time)`` -> ``(batch, channels, time)``."""
        return x + self.mix(F.pad(F.relu(x), self.padding))

    def mix(self, window: Tensor) -> Tensor:
        """What is added to ``x``: ``(batch, channels, time + 2 dilation)``, after the ReLU -> ``(…, time)``."""
        mixed: Tensor = self.pointwise(F.relu(self.dilated(window)))
        return mixed


class ModulatedBlock(nn.Module):
    """``x + out(gelu(dilated((1 + scale) * norm(x) + shift)))``, window 3, time-major.

    ``norm`` is LayerNorm without parameters; scale and shift are linear in the speaker's vector (Perez et al. 2018,
    "FiLM: Visual Reasoning with a General Conditioning Layer", equation 1), or parameters where there is none.

    Args:
        channels: in and out.
        dilation: of the window; signed.
        speaker_dimension: of the speaker's vector; 0 for a block without speaker.
    """

    def __init__(self, channels: int, dilation: int, speaker_dimension: int = 0) -> None:
        super().__init__()
        self.dilation = abs(dilation)
        self.padding = reach([dilation])
        self.modulation = nn.Linear(speaker_dimension, 2 * channels) if speaker_dimension else None
        self.scale_shift = nn.Parameter(torch.zeros(2 * channels))
        self.dilated = nn.Linear(3 * channels, channels)
        self.out = nn.Linear(channels, channels)
        if self.modulation is not None:
            nn.init.normal_(self.modulation.weight, std=0.02)
            nn.init.zeros_(self.modulation.bias)
        nn.init.normal_(self.out.weight, std=0.3 * channels**-0.5)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor, speaker: Tensor | None = None) -> Tensor:
        """Apply the block.

        Args:
            x: ``(batch, time, channels)``.
            speaker: ``(batch, speaker_dimension)``; None for a block without speaker.

        Returns:
            ``(batch, time, channels)``.
        """
        y = self.modulated(x, *self.scale_and_shift(speaker))
        return x + self.mix(F.pad(y, (0, 0, *self.padding)))  # (batch, past + time + look-ahead, channels)

    def scale_and_shift(self, speaker: Tensor | None) -> tuple[Tensor, Tensor]:
        """Of a speaker, ``(batch, speaker_dimension)`` -> two of ``(channels,)``, or of ``(batch, 1, channels)``."""
        modulation = self.scale_shift
        if self.modulation is not None and speaker is not None:
            modulation = modulation + self.modulation(speaker)[:, None]  # (batch, 1, 2 channels)
        scale, shift = modulation.chunk(2, -1)
        return scale, shift

    def modulated(self, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        """The input of the window, ``(batch, time, channels)`` -> the same shape."""
        return F.layer_norm(x, (self.out.out_features,)) * (1 + scale) + shift

    def mix(self, window: Tensor) -> Tensor:
        """What is added to ``x``: modulated ``(batch, time + 2 dilation, channels)`` -> ``(batch, time, channels)``."""
        time = window.shape[1] - 2 * self.dilation
        taps = [window[:, tap * self.dilation : tap * self.dilation + time] for tap in range(3)]
        hidden = self.dilated(torch.cat(taps, -1))  # (batch, time, channels)
        mixed: Tensor = self.out(F.gelu(hidden, approximate="tanh"))
        return mixed


#: One of the blocks of encoder and conditioning network.
Block = ModulatedBlock | ResidualBlock
