"""The paper's PixelCNN: masked 2-D convolutions in the place of the network inside the package's prior.

The prior feeds a network the code before each place, so position (r, c) of the grid that comes in holds the code before
(r, c) in raster order. Every convolution may therefore see its own position, those left of it, and all rows above (van
den Oord et al. 2016, "Conditional Image Generation with PixelCNN Decoders", gated units); what comes out at (r, c)
depends on codes before (r, c) alone.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqspeech.model.prior.cache import Cache


class MaskedConvolutions(nn.Module):
    """Gated masked convolutions over a grid of codes.

    Args:
        rows: of the grid.
        columns: of the grid.
        layers: how many.
        kernel: rows and columns of a convolution's window, an odd number.
        width: channels between layers.
        gate: channels of the gated unit.
        skip: channels of the sum over layers.
        dropout: probability that a channel of a gated unit is dropped in training.
    """

    mask: Tensor

    def __init__(
        self, rows: int, columns: int, *, layers: int, kernel: int, width: int, gate: int, skip: int, dropout: float
    ) -> None:
        super().__init__()
        self.rows, self.columns = rows, columns
        self.channels = skip
        self.places = nn.Parameter(torch.zeros(width, rows, columns))
        self.masked = nn.ModuleList(nn.Conv2d(width, 2 * gate, kernel, padding=kernel // 2) for _ in range(layers))
        self.residual = nn.ModuleList(nn.Conv2d(gate, width, 1) for _ in range(layers))
        self.skip = nn.Linear(layers * gate, skip)
        self.hidden = nn.Linear(skip, skip)
        self.dropout = nn.Dropout2d(dropout)
        mask = torch.zeros(kernel, kernel)
        mask[: kernel // 2] = 1
        mask[kernel // 2, : kernel // 2 + 1] = 1
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x: Tensor, cache: Cache | None) -> Tensor:
        """``(batch, time, width)`` in raster order -> ``(batch, time, skip)``; a cache keeps all that came before."""
        time = x.shape[1]
        if cache is not None:
            x = torch.cat([*cache.layers[0], x], 1)
            cache.layers[0] = (x,)
            cache.position += time
        known = x.shape[1]
        return self.over_grids(F.pad(x, (0, 0, 0, self.rows * self.columns - known)))[:, known - time : known]

    def over_grids(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Compute whole grids.

        Args:
            x: ``(batch, rows * columns, width)``.
            context: ``(batch, layers * 2 gate, rows, columns)``, added to what goes into the gated units.

        Returns:
            ``(batch, rows * columns, skip)``.
        """
        grid = x.mT.unflatten(2, (self.rows, self.columns)) + self.places  # (batch, width, rows, columns)
        added = [None] * len(self.masked) if context is None else context.chunk(len(self.masked), 1)
        gated = []
        for masked, residual, more in zip(self.masked, self.residual, added, strict=True):
            assert isinstance(masked, nn.Conv2d)
            both = F.conv2d(grid, masked.weight * self.mask, masked.bias, padding=masked.padding)
            a, b = (both if more is None else both + more).chunk(2, 1)
            z = self.dropout(torch.tanh(a) * torch.sigmoid(b))
            gated.append(z.flatten(2).mT)  # (batch, rows * columns, gate)
            grid = grid + residual(z)
        return F.relu(self.hidden(F.relu(self.skip(torch.cat(gated, -1)))))
