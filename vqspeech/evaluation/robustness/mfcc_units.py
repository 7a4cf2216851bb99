"""MFCC clusters as units, to stand beside a model's in the robustness measure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from vqspeech.evaluation.mfcc import mfcc, pool

#: Frames that k-means is fitted on, at most.
MOST_FRAMES = 50_000


class MfccUnits:
    """K-means clusters of MFCCs with slopes, as many as a system has units and at the same times.

    Args:
        recordings: what the clusters are placed on, ``(samples,)`` at 16 kHz each.
        clusters: how many; fewer if there are fewer frames.
        frame_period: seconds from one unit to the next.
        offset: seconds to the centre of the first unit.
        seed: of the centres, and of the frames they are placed on.
    """

    def __init__(
        self,
        recordings: Iterable[NDArray[np.float32]],
        *,
        clusters: int,
        frame_period: float,
        offset: float,
        seed: int = 0,
    ) -> None:
        from sklearn.cluster import KMeans

        self.frame_period = frame_period
        self.offset = offset
        frames = np.concatenate([self._features(waveform) for waveform in recordings])  # (frames, 39)
        if len(frames) > MOST_FRAMES:
            frames = frames[np.random.default_rng(seed).choice(len(frames), MOST_FRAMES, replace=False)]
        clusters = min(clusters, len(np.unique(frames, axis=0)))
        self._clusters = KMeans(clusters, n_init=1, random_state=seed).fit(frames)

    def _features(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        """``(samples,)`` at 16 kHz -> ``(units, 39)``."""
        count = max(1, round(len(waveform) / 16_000 / self.frame_period))
        times = self.offset + self.frame_period * np.arange(count)
        return pool(mfcc(waveform), times, period=self.frame_period)

    def __call__(self, waveforms: Sequence[NDArray[np.float32]]) -> list[NDArray[np.int32]]:
        """Units of each waveform, ``(units,)``."""
        return [self._clusters.predict(self._features(waveform)).astype(np.int32) for waveform in waveforms]
