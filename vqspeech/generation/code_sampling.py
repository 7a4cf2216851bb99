"""Codes drawn from a prior, many sequences at a time, one code after the other with what is past remembered."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from vqspeech import ranges
from vqspeech.errors import InputError
from vqspeech.generation.uniforms import Uniforms
from vqspeech.model.prior import Prior

#: Codes of a prompt that are read at a time.
_BLOCK = 512


@torch.no_grad()
def sample_codes(
    prior: Prior,
    *,
    length: int,
    count: int = 1,
    speaker: str | None = None,
    prompt: ArrayLike = (),
    seed: int = 0,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float = 1.0,
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.int32]:
    """Draw sequences of codes.

    A sequence depends on the prior, ``seed`` and its place among the ``count`` alone, up to rounding.

    Args:
        prior: in evaluation mode.
        length: codes of each sequence.
        count: how many sequences.
        speaker: whose codes to sample; unconditional if None or not a speaker of the prior.
        prompt: ``(frames,)``, codes that all sequences go on from; they are not repeated in the result.
        seed: the same seed gives the same codes.
        temperature: divides the logits; 0 takes the likeliest code always.
        top_k: draw from the so many likeliest codes only; None for all.
        top_p: draw from the fewest likeliest codes that together have this probability; 1 for all.
        progress: called with codes done and codes in all, of one sequence.

    Returns:
        ``(count, length)`` int32.

    Raises:
        InputError: a number out of its range, or a prompt with a code outside the codebook.
    """
    _check(length=length, count=count, seed=seed, temperature=temperature, top_k=top_k, top_p=top_p)
    device = prior.output.weight.device
    known = speaker is not None and speaker in prior.speakers
    who = torch.full((count,), prior.speakers.index(str(speaker)) if known else prior.unconditional, device=device)
    before = torch.tensor([prior.start, *_prompt(prompt, prior.config.codes)], device=device).expand(count, -1)
    numbers = np.stack([Uniforms(((row + 1) << 64) | seed).draw(length) for row in range(count)])  # (count, length)
    drawn = np.empty((count, length), np.int32)
    cache = prior.cache()
    for first in range(0, before.shape[1], _BLOCK):
        logits = prior(before[:, first : first + _BLOCK], who, cache)  # (count, block, codes)
    for place in range(length):
        drawn[:, place] = draw(
            logits[:, -1].float().cpu().numpy(), numbers[:, place], temperature=temperature, top_k=top_k, top_p=top_p
        )
        if progress is not None:
            progress(place + 1, length)
        if place + 1 < length:
            logits = prior(torch.from_numpy(drawn[:, place : place + 1].astype(np.int64)).to(device), who, cache)
    return drawn


def draw(
    logits: NDArray[np.float32],
    numbers: NDArray[np.float32],
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float = 1.0,
) -> NDArray[np.int64]:
    """Draw one code for each row by inverting its distribution function, the likeliest codes first.

    Args:
        logits: ``(rows, codes)``.
        numbers: ``(rows,)`` in [0, 1).
        temperature: as for ``sample_codes``, and so the others.
        top_k: applied first.
        top_p: applied to what ``top_k`` has left.

    Returns:
        ``(rows,)``.
    """
    if temperature < ranges.LEAST_TEMPERATURE:
        return logits.argmax(1)
    order = np.argsort(-logits, axis=1, kind="stable")[:, :top_k]  # (rows, kept)
    scaled = np.take_along_axis(logits, order, 1).astype(np.float64) / temperature  # (rows, kept)
    shares = np.exp(scaled - scaled[:, :1])
    shares /= shares.sum(1, keepdims=True)
    before = np.cumsum(shares, 1) - shares
    shares[before >= top_p] = 0.0
    upto = np.cumsum(shares, 1)
    places = (upto <= numbers[:, None] * upto[:, -1:]).sum(1)  # (rows,)
    return np.take_along_axis(order, np.minimum(places, (shares > 0).sum(1) - 1)[:, None], 1)[:, 0]


def _prompt(prompt: ArrayLike, codes: int) -> list[int]:
    given = np.asarray(prompt)
    if given.ndim != 1 or (given.size and not np.issubdtype(given.dtype, np.integer)):
        raise InputError("the codes to go on from must be integers of shape (frames,)", hint="encode a recording")
    if given.size and (given.min() < 0 or given.max() >= codes):
        raise InputError(f"a code outside 0 to {codes - 1}", hint="use codes of the model that the prior belongs to")
    listed: list[int] = given.tolist()
    return listed


def _check(*, length: int, count: int, seed: int, temperature: float, top_k: int | None, top_p: float) -> None:
    if length < 1:
        raise InputError(f"a length of {length} codes", hint="ask for one code or more")
    ranges.DRAWS.check(count, "count")
    ranges.SEED.check(seed, "seed")
    ranges.TEMPERATURE.check(temperature, "temperature")
    ranges.MASS.check(top_p, "top_p")
    if top_k is not None:
        ranges.COUNT.check(top_k, "top_k")
