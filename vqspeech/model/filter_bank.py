"""A waveform as several narrow bands, each at a fraction of its rate, and back.

A cosine-modulated pseudo-QMF bank (Nguyen 1994, "Near-perfect-reconstruction pseudo-QMF banks", equations 4 and 5):

    h_k[n] = 2 p[n] cos((2 k + 1) pi / (2 M) (n - N / 2) + (-1)^k pi / 4),    k = 0 ... M - 1,  n = 0 ... N

with a low-pass prototype ``p`` of order ``N``. Analysis correlates with ``h_k`` and keeps every ``M``-th value;
synthesis is its transpose. Aliases of neighbouring bands cancel by the phases; what is left of them, and the ripple of
the sum, depends on ``p``: a Kaiser-windowed sinc whose one free parameter, the cutoff, is searched for the least
distance from perfect reconstruction (Lin and Vaidyanathan 1998, "A Kaiser window approach for the design of prototype
filters of cosine modulated filterbanks", equation 8).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

#: Shape of the Kaiser window: its side lobes, and so what bands further off than the neighbours leak, are under -90 dB.
BETA = 9.0
#: Order of the prototype for each band. Higher orders separate bands better, delay more and ring longer.
ORDER_PER_BAND = 16


class FilterBank(nn.Module):
    """Analysis and synthesis by a transform that is orthogonal but for an error of -60 dB.

    The filters are centred, so nothing is delayed: step ``m`` of the bands stands for samples ``M m`` and those about
    it. Its value depends on samples up to ``overlap`` away, as a sample depends on steps up to ``overlap`` samples
    away; to a stream that is a delay of ``overlap`` samples (31 of 4 bands: 2 ms at 16 kHz).

    Args:
        bands: how many, M.
    """

    filters: Tensor

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.bands = bands
        filters = torch.from_numpy(_filters(bands).astype(np.float32))
        # (bands, 1, N + 1), which a checkpoint need not hold: they follow from the number of bands
        self.register_buffer("filters", filters[:, None], persistent=False)

    @property
    def overlap(self) -> int:
        """Samples on either side that a step depends on, ``N / 2``."""
        return self.filters.shape[2] // 2

    def analyse(self, waveform: Tensor) -> Tensor:
        """Split into bands, in float32 also under autocast.

        Args:
            waveform: ``(batch, time)``, ``time`` a multiple of the number of bands; beyond its ends it is taken as
                mirrored, so that a cut makes no click.

        Returns:
            ``(batch, bands, time / bands)``, the lowest band first.
        """
        with torch.autocast(waveform.device.type, enabled=False):
            mirrored = F.pad(
                waveform[:, None].float(), (self.overlap, self.overlap), mode=_mirror(waveform, self.overlap)
            )
            return F.conv1d(mirrored, self.filters, stride=self.bands)[..., : waveform.shape[1] // self.bands]

    def synthesise(self, values: Tensor) -> Tensor:
        """Join bands, ``(batch, bands, steps)`` -> ``(batch, steps x bands)``; steps beyond the ends count as zeros."""
        return self.spread(values)[:, self.overlap : self.overlap + values.shape[2] * self.bands]

    def spread(self, values: Tensor) -> Tensor:
        """All that steps add to the waveform.

        Args:
            values: ``(batch, bands, steps)``.

        Returns:
            ``(batch, steps x bands + 2 overlap + 1 - bands)``, from ``overlap`` samples before the first step on.
        """
        with torch.autocast(values.device.type, enabled=False):
            return F.conv_transpose1d(values.float(), self.filters, stride=self.bands)[:, 0]


class BankSynthesis:
    """Synthesis of a stream, step by step, by its polyphase form; see ``FilterBank.synthesise``.

    With ``M`` bands, samples ``M q ... M q + M - 1`` of what ``FilterBank.spread`` gives follow from the steps up to
    ``q`` that reach as far (Vaidyanathan 1993, "Multirate Systems and Filter Banks", section 4.3):

        y[M q + r] = sum over bands b and ages j of v_b[q - j] h_b[M j + r]

    Args:
        bank: of which the bands are.
    """

    def __init__(self, bank: FilterBank) -> None:
        self._bands, self._overlap = bank.bands, bank.overlap
        filters = bank.filters[:, 0].cpu().numpy()  # (bands, N + 1)
        reach = -(-filters.shape[1] // bank.bands)  # steps that a sample depends on
        padded = np.pad(filters, ((0, 0), (0, reach * bank.bands - filters.shape[1])))
        # From the oldest step to the newest, as the windows below: (reach x bands, M).
        ages = padded.reshape(bank.bands, reach, bank.bands)[:, ::-1].swapaxes(0, 1)  # (reach, bands, M)
        self._weights = np.ascontiguousarray(ages.reshape(-1, bank.bands))
        self._past = np.zeros((reach - 1) * bank.bands, np.float32)  # steps that samples to come depend on
        self._early = bank.overlap  # samples that lie before the first step

    def push(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """``(steps, bands)`` -> the samples that no later step adds to, ``(samples,)``."""
        steps = np.concatenate([self._past, values.reshape(-1)], dtype=np.float32)  # (past and steps x bands,)
        self._past = steps[len(steps) - len(self._past) :]
        windows = np.ndarray(  # (steps, reach x bands), which overlap
            (len(values), len(self._weights)), np.float32, steps, strides=(self._bands * steps.itemsize, steps.itemsize)
        )
        made: NDArray[np.float32] = (windows @ self._weights).reshape(-1)
        early = min(self._early, len(made))
        self._early -= early
        return made[early:]

    def finish(self) -> NDArray[np.float32]:
        """The samples up to the last step's, ``(overlap,)``, or as many as there were in all."""
        wanted = self._overlap - self._early
        silence = np.zeros((-(-self._overlap // self._bands), self._bands), np.float32)
        return self.push(silence)[:wanted]


def _mirror(waveform: Tensor, overlap: int) -> str:
    return "reflect" if waveform.shape[1] > overlap else "replicate"


@lru_cache
def _filters(bands: int) -> NDArray[np.float64]:
    """All ``h_k``, ``(bands, N + 1)``, each of norm 1 on average."""
    order = ORDER_PER_BAND * bands - 2  # even: the centre is a sample
    low, high = 1 / (2 * bands), 1.5 / (2 * bands)
    for _ in range(3):  # finer and finer: the error has one minimum there
        cutoffs = np.linspace(low, high, 101)
        best = cutoffs[int(np.argmin([_distance(_prototype(order, cutoff), bands) for cutoff in cutoffs]))]
        low, high = best - (high - low) / 50, best + (high - low) / 50
    n = np.arange(order + 1) - order / 2
    k = np.arange(bands)[:, None]
    filters = _prototype(order, best) * np.cos((2 * k + 1) * np.pi / (2 * bands) * n + (-1.0) ** k * np.pi / 4)
    return filters * np.sqrt(bands / np.sum(filters**2))


def _prototype(order: int, cutoff: float) -> NDArray[np.float64]:
    """A low-pass of ``order + 1`` taps; ``cutoff`` in units of half the sample rate."""
    n = np.arange(order + 1) - order / 2
    return np.sinc(cutoff * n) * np.kaiser(order + 1, BETA)


def _distance(prototype: NDArray[np.float64], bands: int) -> float:
    """How far a bank is from perfect reconstruction: the largest of the autocorrelation at multiples of ``2 M``."""
    correlation = np.correlate(prototype, prototype, mode="full")
    centre = len(prototype) - 1
    return float(np.abs(correlation[centre + 2 * bands :: 2 * bands]).max() / correlation[centre])
