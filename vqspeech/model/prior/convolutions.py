"""The paper's kind of prior: causal dilated convolutions with gated units (van den Oord et al. 2016, "WaveNet").

With ``x`` between layers:

    a, b   = sum over taps k of W_k x[t - (kernel - 1 - k) dilation]
    z      = tanh(a) sigmoid(b)
    x     <- x + R z
    output = relu(hidden(relu(sum over layers of S z)))
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqspeech.model.prior.cache import Cache
from vqspeech.model.prior.config import ConvolutionsConfig


class GatedConvolutions(nn.Module):
    """A stack of gated convolutions, written as time-major products.

    Args:
        config: sizes.
    """

    def __init__(self, config: ConvolutionsConfig) -> None:
        super().__init__()
        self.config = config
        c = config
        self.channels = c.skip
        self.dilated = nn.ModuleList(nn.Linear(c.kernel * c.width, 2 * c.gate) for _ in range(c.layers))
        self.residual = nn.ModuleList(nn.Linear(c.gate, c.width) for _ in range(c.layers))
        self.skip = nn.Linear(c.layers * c.gate, c.skip)
        self.hidden = nn.Linear(c.skip, c.skip)
        self.dropout = nn.Dropout(c.dropout)
        for dilated, residual in zip(self.dilated, self.residual, strict=True):
            assert isinstance(dilated, nn.Linear)
            assert isinstance(residual, nn.Linear)
            nn.init.normal_(dilated.weight, std=(c.kernel * c.width) ** -0.5)
            nn.init.normal_(residual.weight, std=c.gate**-0.5)
        nn.init.normal_(self.skip.weight, std=2 * (c.layers * c.gate) ** -0.5)
        nn.init.normal_(self.hidden.weight, std=1.4 * c.skip**-0.5)

    def forward(self, x: Tensor, cache: Cache | None) -> Tensor:
        """``(batch, time, width)`` -> ``(batch, time, skip)``; what lies before the first position is zeros."""
        c = self.config
        time = x.shape[1]
        gated = []
        for layer, dilation in enumerate(c.dilations):
            reach = (c.kernel - 1) * dilation
            past = F.pad(x, (0, 0, reach, 0))  # (batch, reach + time, width)
            if cache is not None:
                if cache.layers[layer]:
                    past = torch.cat([cache.layers[layer][0], x], 1)
                cache.layers[layer] = (past[:, -reach:],)
            taps = torch.cat([past[:, k * dilation : k * dilation + time] for k in range(c.kernel)], -1)
            # (batch, time, kernel x width)
            a, b = self.dilated[layer](taps).chunk(2, -1)  # (batch, time, gate) each
            z = self.dropout(torch.tanh(a) * torch.sigmoid(b))  # (batch, time, gate)
            gated.append(z)
            x = x + self.residual[layer](z)  # (batch, time, width)
        if cache is not None:
            cache.position += time
        return F.relu(self.hidden(F.relu(self.skip(torch.cat(gated, -1)))))
