"""Between a waveform and the classes a WaveNet predicts: pre-emphasis, gain and mu-law.

A WaveNet draws each sample from a softmax over the levels of a mu-law code (van den Oord et al. 2016, "WaveNet",
equation 2; ITU-T G.711). Eight bits make audible noise; a first-order pre-emphasis before the code and its inverse
after it give that noise the spectrum of speech, which hides it (Valin and Skoglund 2019, "LPCNet", section 3.1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def mu_law_encode(waveform: Tensor, levels: int = 256) -> Tensor:
    """Quantise ``waveform`` in [-1, 1] to mu-law classes; values outside are clipped.

    Args:
        waveform: ``(...)`` float.
        levels: how many classes; mu is ``levels - 1``.

    Returns:
        ``(...)`` int64 in ``[0, levels)``.
    """
    mu = levels - 1
    clipped = waveform.clamp(-1, 1)
    compressed = torch.sign(clipped) * torch.log1p(mu * clipped.abs()) / math.log1p(mu)
    return ((compressed + 1) / 2 * mu + 0.5).long()


def mu_law_decode(classes: Tensor, levels: int = 256) -> Tensor:
    """Give each mu-law class its amplitude, so that ``mu_law_encode(mu_law_decode(k)) == k``.

    Args:
        classes: ``(...)`` int in ``[0, levels)``.
        levels: how many classes.

    Returns:
        ``(...)`` float32 in [-1, 1].
    """
    mu = levels - 1
    compressed = 2 * classes.float() / mu - 1
    return torch.sign(compressed) * torch.expm1(compressed.abs() * math.log1p(mu)) / mu


def pre_emphasis(waveform: Tensor, coefficient: float, previous: Tensor | None = None) -> Tensor:
    """``y[t] = x[t] - coefficient * x[t - 1]``.

    Args:
        waveform: ``(..., time)``.
        coefficient: in [0, 1); 0 changes nothing.
        previous: ``(..., 1)``, the sample before the first; silence if not given.
    """
    before = torch.zeros_like(waveform[..., :1]) if previous is None else previous
    return waveform - coefficient * torch.cat([before, waveform[..., :-1]], dim=-1)


def de_emphasis(waveform: np.ndarray, coefficient: float, state: float = 0.0) -> tuple[np.ndarray, float]:
    """Undo ``pre_emphasis``: ``x[t] = y[t] + coefficient * x[t - 1]``, in float64 so that no error builds up.

    Args:
        waveform: ``(time,)``.
        coefficient: the one that was used.
        state: the last sample given back by the call before; 0 at the start.

    Returns:
        ``(time,)`` float64 and the state for the next call, so that a stream can be undone block by block.
    """
    restored = _accumulate(np.asarray(waveform, np.float64), coefficient, state)
    return restored, float(restored[-1]) if len(restored) else state


#: Values up to which a loop is the fastest.
_FEW = 16


def _accumulate(values: np.ndarray, coefficient: float, state: float, block: int = 64) -> np.ndarray:
    """``x[t] = values[t] + coefficient x[t - 1]`` from ``x[-1] = state``, by blocks and the ends of blocks.

    scipy's ``lfilter`` does the same, but to import it takes longer than to convert a short recording.
    """
    count = len(values)
    if count <= _FEW:
        found = []
        for value in values.tolist():
            state = value + coefficient * state
            found.append(state)
        return np.array(found)
    powers, within_block = _responses(coefficient, block)
    padded = np.zeros(-(-count // block) * block)
    padded[:count] = values
    within = padded.reshape(-1, block) @ within_block  # (blocks, block)
    # The ends of blocks obey the same recursion, one step a block.
    ends = _accumulate(within[:, -1], powers[block], state)
    before = np.concatenate([[state], ends[:-1]])
    return (within + before[:, None] * powers[1:]).reshape(-1)[:count]


@lru_cache(maxsize=16)
def _responses(coefficient: float, block: int) -> tuple[np.ndarray, np.ndarray]:
    """Powers of the coefficient, ``(block + 1,)``, and what each value adds to those behind it, ``(block, block)``."""
    powers = coefficient ** np.arange(block + 1)
    ages = np.subtract.outer(np.arange(block), np.arange(block))
    return powers, np.where(ages >= 0, powers[np.maximum(ages, 0)], 0.0).T


class WaveformStream(Protocol):
    """Turns the classes of one stream into a waveform, however they are cut into calls."""

    def push(self, classes: Tensor) -> NDArray[np.float32]:
        """Take the next classes and give the samples that they complete, ``(samples,)``.

        Args:
            classes: ``(time,)``, or ``(steps, bands)`` of a model with several bands.
        """
        ...

    def finish(self) -> NDArray[np.float32]:
        """Give the samples that are left, ``(samples,)``."""
        ...


@dataclass(frozen=True)
class Companding:
    """The chain from waveform to classes and back: pre-emphasis, gain, mu-law.

    Attributes:
        levels: classes of the mu-law code.
        emphasis: coefficient of the pre-emphasis; 0 for none, as in the paper.
        gain: factor after pre-emphasis, so that speech at the working level fills [-1, 1].
    """

    levels: int = 256
    emphasis: float = 0.85
    gain: float = 4.0

    @property
    def silence(self) -> int:
        """The class of a zero sample, which stands before the first."""
        return self.levels // 2

    def preemphasise(self, waveform: Tensor, previous: Tensor | None = None) -> Tensor:
        """Pre-emphasis and gain alone: the encoder's input. ``(..., time)`` -> ``(..., time)``."""
        return pre_emphasis(waveform, self.emphasis, previous) * self.gain

    def classes(self, waveform: Tensor, previous: Tensor | None = None) -> Tensor:
        """``(..., time)`` waveform -> ``(..., time)`` int64 classes."""
        return mu_law_encode(self.preemphasise(waveform, previous), self.levels)

    def waveform(self, classes: Tensor) -> NDArray[np.float32]:
        """``(time,)`` classes -> ``(time,)`` waveform."""
        return self.stream().push(classes)

    def stream(self) -> WaveformStream:
        """What turns classes into a waveform as they come."""
        return _FullBandStream(self)


class _FullBandStream:
    """The classes of one stream on their way back; each sample comes with its class. See ``WaveformStream``."""

    def __init__(self, companding: Companding) -> None:
        self._companding = companding
        self._state = 0.0

    def push(self, classes: Tensor) -> NDArray[np.float32]:
        shaped = mu_law_decode(classes.cpu(), self._companding.levels).numpy() / self._companding.gain
        restored, self._state = de_emphasis(shaped, self._companding.emphasis, self._state)
        return restored.astype(np.float32)

    def finish(self) -> NDArray[np.float32]:
        return np.zeros(0, np.float32)
