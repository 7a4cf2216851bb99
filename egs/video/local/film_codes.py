"""Films as sequences of symbols: for each frame its action, then its codes in raster order.

The prior sees one alphabet: the K codes of the codebook, then the actions. So the package's prior, which holds nothing
but sequences of integers, is given the actions and predicts the codes between them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from moving_digits import ACTIONS, FRAMES, UNKNOWN
from numpy.typing import NDArray

from vqspeech.generation.code_sampling import draw
from vqspeech.generation.uniforms import Uniforms
from vqspeech.model.prior import Prior

if TYPE_CHECKING:
    from collections.abc import Callable


def to_symbols(codes: NDArray[np.int64], actions: NDArray[np.int64], size: int) -> NDArray[np.int32]:
    """One film's symbols.

    Args:
        codes: ``(frames, rows, columns)``.
        actions: ``(frames,)``.
        size: of the codebook, K.

    Returns:
        ``(frames * (1 + rows * columns),)``.
    """
    return np.concatenate([size + actions[:, None], codes.reshape(len(codes), -1)], 1).astype(np.int32).ravel()


def unknown_actions(actions: NDArray[np.int64]) -> NDArray[np.int64]:
    """Actions of the same shape that say nothing."""
    return np.full_like(actions, UNKNOWN)


@torch.no_grad()
def continue_films(
    prior: Prior,
    codes: NDArray[np.int64],
    actions: NDArray[np.int64],
    *,
    temperature: float = 1.0,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.int64]:
    """Draw the codes of further frames, each given all frames before it and its action.

    Args:
        prior: over ``to_symbols`` of films, in evaluation mode.
        codes: ``(n, given, rows, columns)``, the frames that there are.
        actions: ``(n, frames)``, of those and of the frames to draw.
        temperature: divides the logits; 0 takes the likeliest code always.
        seed: of the draws; a film depends on it and on its place among the films alone.
        progress: called with frames drawn and frames to draw.

    Returns:
        ``(n, frames, rows, columns)``, the given frames first.
    """
    n, given, *grid = codes.shape
    size = prior.config.codes - len(ACTIONS)
    places, frames = int(np.prod(grid)), actions.shape[1]
    nobody = torch.full((n,), prior.unconditional)
    prompts = [to_symbols(film, film_actions[:given], size) for film, film_actions in zip(codes, actions, strict=True)]
    before = torch.tensor(np.stack(prompts), dtype=torch.long)
    before = torch.cat([torch.full_like(before[:, :1], prior.start), before], 1)
    numbers = np.stack([Uniforms(((row + 1) << 64) | seed).draw((frames - given) * places) for row in range(n)])
    cache = prior.cache()
    prior(before, nobody, cache)
    drawn = np.empty((n, frames - given, places), np.int64)
    for frame in range(given, frames):
        symbol = size + actions[:, frame]
        for place in range(places):
            logits = prior(torch.from_numpy(symbol[:, None]), nobody, cache)[:, -1, :size]  # codes alone, no actions
            number = numbers[:, (frame - given) * places + place]
            symbol = draw(logits.float().numpy(), number, temperature=temperature)
            drawn[:, frame - given, place] = symbol
        # The last code of the frame is read before the next action.
        prior(torch.from_numpy(symbol[:, None]), nobody, cache)
        if progress is not None:
            progress(frame + 1 - given, frames - given)
    return np.concatenate([codes, drawn.reshape(n, frames - given, *grid)], 1)


def frame_bits(bits: NDArray[np.float32], frames: int = FRAMES) -> NDArray[np.float32]:
    """Bits of every symbol of a film, ``(symbols,)`` -> those of its codes alone, ``(frames, rows * columns)``."""
    return bits.reshape(frames, -1)[:, 1:]
