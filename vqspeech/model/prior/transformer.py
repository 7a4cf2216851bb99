"""A small Transformer over codes: rotary positions, a window of the past, normalised queries and keys.

A layer is ``x + attention(norm(x))``, then ``x + narrow(relu(widen(norm(x)))²)``. ``norm`` has no parameters (RMSNorm,
Zhang and Sennrich 2019); rotary positions are Su et al.'s ("RoFormer", 2021), the squared ReLU So et al.'s ("Primer",
2021), normalised queries and keys Henry et al.'s (2020).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqspeech.model.prior.cache import Cache
from vqspeech.model.prior.config import TransformerConfig

#: Slowest rotation: one radian in this many positions.
_ROTARY_BASE = 10_000.0


class Transformer(nn.Module):
    """A stack of attention and feed-forward layers.

    Args:
        config: sizes.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.channels = config.width
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))

    def forward(self, x: Tensor, cache: Cache | None) -> Tensor:
        """``(batch, time, width)`` -> the same shape."""
        c = self.config
        first, time = 0 if cache is None else cache.position, x.shape[1]
        rotation = _rotation(first, time, c.width // c.heads, x)
        mask = _window(min(first, c.window - 1), time, c.window, x.device)
        x = _norm(x)
        for index, layer in enumerate(self.layers):
            x, kept = layer(x, rotation, mask, () if cache is None else cache.layers[index])
            if cache is not None:
                cache.layers[index] = kept
        if cache is not None:
            cache.position += time
        return _norm(x)


class Layer(nn.Module):
    """Attention, then a feed-forward network.

    Args:
        config: sizes.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        width = config.width
        self.heads, self.reach = config.heads, config.window - 1
        self.attend = nn.Linear(width, 3 * width, bias=False)
        self.attended = nn.Linear(width, width, bias=False)
        self.widen = nn.Linear(width, config.feed_forward, bias=False)
        self.narrow = nn.Linear(config.feed_forward, width, bias=False)
        self.dropout = nn.Dropout(config.dropout)
        for linear in (self.attend, self.widen):
            nn.init.normal_(linear.weight, std=width**-0.5)
        # A layer begins as the identity.
        for linear in (self.attended, self.narrow):
            nn.init.zeros_(linear.weight)

    def forward(
        self, x: Tensor, rotation: tuple[Tensor, Tensor], mask: Tensor | None, past: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Compute a layer.

        Args:
            x: ``(batch, time, width)``.
            rotation: of each position, from ``_rotation``.
            mask: which of past and present positions each sees, from ``_window``.
            past: keys and values ``(batch, heads, up to window - 1, channels)`` of the positions before, or nothing.

        Returns:
            ``(batch, time, width)``, and the keys and values that the next call needs.
        """
        query, key, value = self.attend(_norm(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        query, key = _rotate(_norm(query), rotation), _rotate(_norm(key), rotation)  # (batch, heads, time, channels)
        if past:
            key, value = torch.cat([past[0], key], 2), torch.cat([past[1], value], 2)  # (..., past + time, channels)
        attended = F.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, is_causal=mask is None and query.shape[2] > 1
        )
        x = x + self.dropout(self.attended(attended.transpose(1, 2).flatten(2)))  # (batch, time, width)
        x = x + self.dropout(self.narrow(F.relu(self.widen(_norm(x))).square()))
        before = max(0, key.shape[2] - self.reach)
        return x, (key[:, :, before:], value[:, :, before:])


def _norm(x: Tensor) -> Tensor:
    return F.rms_norm(x, x.shape[-1:])


def _rotation(first: int, time: int, channels: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines ``(time, channels / 2)`` of the angles at positions ``first`` and on."""
    speeds = _ROTARY_BASE ** -(torch.arange(0, channels, 2, device=like.device, dtype=torch.float32) / channels)
    angles = torch.arange(first, first + time, device=like.device, dtype=torch.float32)[:, None] * speeds
    return angles.cos().to(like.dtype), angles.sin().to(like.dtype)


def _rotate(x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    cos, sin = rotation
    a, b = x.chunk(2, -1)  # (..., time, channels / 2) each
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)  # (..., time, channels)


def _window(past: int, time: int, window: int, device: torch.device) -> Tensor | None:
    """Which of ``past + time`` positions each of the last ``time`` sees, ``(time, past + time)``.

    None where plain causal attention over ``time`` positions, or one position that sees all, is the same.
    """
    if time == 1 or (past == 0 and time <= window):
        return None
    distance = torch.arange(past, past + time, device=device)[:, None] - torch.arange(past + time, device=device)
    return (distance >= 0) & (distance < window)
