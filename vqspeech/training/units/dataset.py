"""Random segments of packed speech with their targets; each batch is a function of seed, step and rank alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqspeech.training.pack import Pack


@dataclass(frozen=True)
class UnitsBatch:
    """A batch of segments.

    Attributes:
        waveform: ``(batch, segment)`` float32.
        targets: ``(batch, positions)`` int64, clusters; -1 where there is none.
    """

    waveform: Tensor
    targets: Tensor

    def to(self, device: torch.device) -> UnitsBatch:
        """Move the tensors to ``device``."""
        return UnitsBatch(self.waveform.to(device), self.targets.to(device))


class TargetSegments:
    """Random segments that begin on the grid of the targets.

    Args:
        pack: the speech. Speakers with less than a segment are repeated to its length.
        targets: ``(positions,)``, see ``vqspeech.training.units.targets``.
        hop: samples of a position.
        batch: segments per batch.
        segment: samples each, a multiple of ``hop``.
        speaker_balance: a speaker is drawn in proportion to its duration to this power.
        loudness: range of the random gain, in dB to either side.
        seed: of everything drawn.
        rank: of this process among those of a distributed run.
    """

    def __init__(
        self,
        pack: Pack,
        targets: NDArray[np.int16],
        *,
        hop: int,
        batch: int,
        segment: int,
        speaker_balance: float,
        loudness: float,
        seed: int,
        rank: int = 0,
    ) -> None:
        self.pack = pack
        self.targets = targets
        self.hop = hop
        self.batch = batch
        self.segment = segment
        self.loudness = loudness
        self.seed = seed
        self.rank = rank
        # Whole positions only; a speaker of less than one has nothing to give.
        positions = [(-(-start // hop), end // hop) for start, end in pack.speaker_ranges]
        self.ranges = [(first, last) for first, last in positions if last > first]
        shares = np.array([last - first for first, last in self.ranges], np.float64) ** speaker_balance
        self.shares = shares / shares.sum()

    def __call__(self, step: int) -> UnitsBatch:
        """The batch of a step."""
        rng = np.random.default_rng([self.seed, self.rank, step])
        count = self.segment // self.hop
        waveform = np.empty((self.batch, self.segment), np.float32)
        targets = np.empty((self.batch, count), np.int64)
        for row, speaker in enumerate(rng.choice(len(self.ranges), self.batch, p=self.shares)):
            first, last = self.ranges[speaker]
            start = int(rng.integers(first, max(first + 1, last - count)))
            positions = first + (start - first + np.arange(count)) % (last - first)  # round and round, if need be
            targets[row] = self.targets[positions]
            samples = positions[:, None] * self.hop + np.arange(self.hop)  # (positions, hop)
            waveform[row] = self.pack.samples[samples.ravel()].astype(np.float32) / 32767
            waveform[row] *= 10 ** (rng.uniform(-self.loudness, self.loudness) / 20)
        return UnitsBatch(torch.from_numpy(waveform), torch.from_numpy(targets))
