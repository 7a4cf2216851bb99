"""Running statistics: what is known of a signal so far, in memory that does not grow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class RunningMoments:
    """Running mean and variance of each column, cumulative at first and exponentially weighted later.

    With ``n`` the weight so far, at most ``most``, and ``n = prior`` at the start:

        n <- min(n + 1, most)
        d = x - mean,   mean <- mean + d / n
        variance <- variance + (d (x - mean) - variance) / n

    Up to ``most`` rows these are exactly mean and variance of the rows and of ``prior`` rows that have the moments
    given at first (Welford 1962, "Note on a method for calculating corrected sums of squares and products"); from then
    on, rows count less by a factor of ``1 - 1 / most`` for each that comes after them.

    Args:
        mean: ``(columns,)``, what is assumed at first.
        variance: ``(columns,)``, likewise.
        prior: how many rows that counts for; 0 to forget it with the first row.
        most: rows of the memory.

    Attributes:
        mean: ``(columns,)``.
        variance: ``(columns,)``.
        count: ``n``.
    """

    def __init__(self, mean: NDArray[np.float64], variance: NDArray[np.float64], *, prior: float, most: float) -> None:
        self.mean = np.array(mean, np.float64)
        self.variance = np.array(variance, np.float64)
        self.count = float(prior)
        self._most = most

    def update(self, row: NDArray[np.floating]) -> None:
        """Take one row, ``(columns,)``."""
        self.count = min(self.count + 1, self._most)
        off = row - self.mean
        self.mean = self.mean + off / self.count
        self.variance = self.variance + (off * (row - self.mean) - self.variance) / self.count


class RunningHistogram:
    """Running distribution of a number, from which quantiles can be had.

    Weights of the bins are those of ``RunningMoments``: all alike until they add up to ``most``, and from then on each
    number makes those before it count less by a factor of ``1 - 1 / most``. Beside its weight, each bin has the sums of
    the numbers and of their squares (or of another figure that comes with each), so that moments over a range of bins
    have no error of quantisation.

    Args:
        low: lowest number; those below it fall into the first bin.
        high: highest number; those above it fall into the last.
        bins: how many.
        most: numbers of the memory.
    """

    def __init__(self, low: float, high: float, *, bins: int, most: float) -> None:
        self._low, self._width, self._most = low, (high - low) / bins, most
        # Weight, sum and sum of squares of each bin, (3, bins)
        self._sums = np.zeros((3, bins))

    @property
    def weight(self) -> float:
        """How many numbers it holds, at most ``most``."""
        return float(self._sums[0].sum())

    def add(self, value: float, *, figure: float | None = None) -> None:
        """Take a number.

        Args:
            value: the number.
            figure: what moments are of; the number itself if not given.
        """
        weight = self.weight
        if weight + 1 > self._most:
            self._sums *= (self._most - 1) / weight
        of = value if figure is None else figure
        self._sums[:, self._bin(value)] += np.array([1.0, of, of * of])

    def quantile(self, share: float) -> float:
        """The middle of the first bin up to which there is at least ``share`` of the weight."""
        reached = np.cumsum(self._sums[0])
        place = int(np.searchsorted(reached, share * reached[-1] * (1 - 1e-9)))
        return self._low + (min(place, len(reached) - 1) + 0.5) * self._width

    def moments(self, low: float, high: float) -> tuple[float, float, float]:
        """Weight, mean and variance of the figures in the bins from that of ``low`` to that of ``high``."""
        weight, first, second = self._sums[:, self._bin(low) : self._bin(high) + 1].sum(1)
        if weight <= 0:
            return 0.0, 0.0, 0.0
        mean = first / weight
        return float(weight), float(mean), float(max(0.0, second / weight - mean * mean))

    def _bin(self, value: float) -> int:
        return max(0, min(int((value - self._low) // self._width), self._sums.shape[1] - 1))
