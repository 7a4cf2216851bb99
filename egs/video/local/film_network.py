"""The network of a prior over films: masked convolutions over a frame's codes, given the frames before and the action.

It sees symbols as ``film_codes.to_symbols`` puts them, a frame's action and then its codes. The prior feeds it the
symbol before each place. Within a frame, position 0 (where the action is predicted, as well as can be without looking)
thus holds the last code of the frame before, position 1 the action, and the others the codes of the frame so far: from
position 1 on they are a grid of codes in raster order, moved on by one place.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from masked_convolutions import MaskedConvolutions
from masked_prior import Grid, MaskedConfig, MaskedPreset
from torch import Tensor, nn

from vqspeech.model.config import Count
from vqspeech.model.prior.cache import Cache


class FilmConfig(MaskedConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Sizes; see ``FilmConvolutions``."""

    frames: Count
    blocks: Count

    def build(self, grid: Grid) -> nn.Module:
        """The network for frames of a grid of codes."""
        return FilmConvolutions(grid, self)


class FilmPreset(MaskedPreset, frozen=True):
    """A preset file: a prior over films and how it is trained."""

    network: FilmConfig


class FilmConvolutions(MaskedConvolutions):
    """Masked convolutions over a frame, conditioned on convolutions over the frames before it.

    Args:
        grid: rows and columns of codes in a frame.
        config: sizes; ``frames`` is how many frames before a frame are seen, ``blocks`` the residual blocks over them.
    """

    def __init__(self, grid: Grid, config: FilmConfig) -> None:
        c = config
        super().__init__(
            *grid, layers=c.layers, kernel=c.kernel, width=c.width, gate=c.gate, skip=c.skip, dropout=c.dropout
        )
        self.frames = c.frames
        self.past = nn.Conv2d((c.frames + 1) * c.width, c.width, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.ReLU(), nn.Conv2d(c.width, c.width, 3, padding=1), nn.ReLU(), nn.Conv2d(c.width, c.width, 1)
            )
            for _ in range(c.blocks)
        )
        self.conditioning = nn.Conv2d(c.width, c.layers * 2 * c.gate, 1)
        self.before_actions = nn.Parameter(torch.zeros(c.skip))

    def forward(self, x: Tensor, cache: Cache | None) -> Tensor:
        """``(batch, time, width)`` from a film's beginning on -> ``(batch, time, skip)``.

        A cache keeps what came in of the frames that are still seen, and what the frame at hand is conditioned on.
        """
        time, first, known = x.shape[1], 0, None
        together = 1 + self.rows * self.columns
        seen = self.frames * together
        if cache is None or not cache.layers[0]:
            before = x.new_zeros(x.shape[0], seen, x.shape[2])  # what lies before the film
        else:
            first = cache.position
            before, known = cache.layers[0]
        # Frames whose symbols are new, and those before them that they depend on.
        begin, end = first // together, -(-(first + time) // together)
        x = torch.cat([before, x], 1)
        filled = F.pad(x, (0, 0, 0, seen + (end - begin) * together - x.shape[1]))
        frames = filled.unflatten(1, (-1, together))  # (batch, frames before and new ones, symbols, width)
        # From a frame's position 2 on, all that it is conditioned on has been there before.
        if known is None or first % together < 2 or end - begin > 1:
            known = self._conditions(frames, new=end - begin)
        y = self._over_frames(frames, known, new=end - begin).flatten(1, 2)  # (batch, new frames * symbols, skip)
        if cache is not None:
            cache.position = first + time
            whole = cache.position // together - begin  # frames that are now complete
            cache.layers[0] = (x[:, whole * together :], known.unflatten(0, (-1, end - begin))[:, -1])
        return y[:, first - begin * together :][:, :time]

    def _conditions(self, frames: Tensor, *, new: int) -> Tensor:
        """From frames before and actions, for the last ``new`` of ``(batch, frames + new, symbols, width)``.

        Returns:
            ``(batch * new, layers * 2 gate, rows, columns)``.
        """
        # The codes of a frame stand one place later: from its position 2 to position 0 of the next.
        moved = torch.cat([frames[:, :-1, 2:], frames[:, 1:, :1]], 2)  # (batch, frames + new - 1, codes, width)
        seen = [moved[:, k : k + new] for k in range(self.frames)]
        action = frames[:, -new:, 1:2].expand_as(seen[0])
        stacked = torch.cat([*seen, action], -1).flatten(0, 1).mT  # (batch * new, (frames + 1) * width, codes)
        context = self.past(stacked.unflatten(2, (self.rows, self.columns)))
        for block in self.blocks:
            context = context + block(context)
        conditions: Tensor = self.conditioning(F.relu(context))
        return conditions

    def _over_frames(self, frames: Tensor, conditions: Tensor, *, new: int) -> Tensor:
        """Compute the last ``new`` of ``(batch, frames + new, symbols, width)``: ``(batch, new, symbols, skip)``."""
        batch, width = frames.shape[0], frames.shape[3]
        codes = self.over_grids(frames[:, -new:, 1:].reshape(batch * new, -1, width), conditions)
        first = self.before_actions.expand(batch, new, 1, -1)
        return torch.cat([first, codes.unflatten(0, (batch, new))], 2)
