"""Target-speaker adaptation of a stream's codes (``vqspeech.model.speaker_stats``) in its causal form.

The mean over the recording is one over the speech so far, at most ``MEMORY`` seconds of it (``RunningMoments``), and
the seconds by which it is trusted are those:

    z'   = z + mean_shift (mean of the target - running mean) n / (n + SHRINKAGE)
    code = argmin over k of |z' - e_k|² / dimension - unigram_prior log p(k | target)
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from vqspeech.model.speaker_stats import SHRINKAGE, SpeakerStats
from vqspeech.model.vqvae import VQVAE
from vqspeech.streaming.statistics import RunningMoments

#: Seconds of speech that the mean of the vectors remembers.
MEMORY = 20.0


class StreamedQuantizer:
    """Vectors to codes.

    Args:
        network: in evaluation mode.

    Attributes:
        frozen: whether the running mean stays as it is.
    """

    def __init__(self, network: VQVAE) -> None:
        self.frozen = False
        self._quantizer, self._stats = network.quantizer, network.speaker_stats
        self._rate = network.config.code_rate
        self._target: SpeakerStats | None = None
        zeros = np.zeros(network.config.encoder.dimension)
        self._moments = RunningMoments(zeros, zeros, prior=0, most=MEMORY * self._rate)

    def set_voice(self, shares: Mapping[int, float]) -> None:
        """Adapt to this blend of speakers from now on; where one has no statistics, take the nearest codes."""
        self._target = self._stats.blended(shares) if self._stats.computed(list(shares)) else None
        if self._target is not None:
            weight = self._quantizer.config.unigram_prior * self._quantizer.dimension
            self._penalty = -weight * self._target.unigram.log()  # (codes,)

    def push(self, vectors: Tensor, *, speech: bool) -> Tensor:
        """``(codes, dimension)`` of one step -> ``(codes,)`` int64."""
        share = self._quantizer.config.mean_shift
        if share and speech and not self.frozen:
            for row in vectors.cpu().numpy().astype(np.float64):
                self._moments.update(row)
        if self._target is None:
            return self._quantizer.nearest(vectors)
        if share:
            mean = torch.from_numpy(self._moments.mean.astype(np.float32)).to(vectors.device)
            count = self._moments.count
            trust = count / (count + SHRINKAGE * self._rate)
            vectors = vectors + share * trust * (self._target.mean - mean)
        return self._quantizer.nearest(vectors, self._penalty)
