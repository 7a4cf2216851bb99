"""Target-speaker adaptation of codes: a mean shift and quantisation under the speaker's unigram prior.

The decoder is trained on each speaker's own codes, and codes depend on the speaker. Most of that dependence is in the
mean of the encoder's vectors (van Niekerk et al. 2021, "Analyzing Speaker Information in Self-Supervised Models to
Improve Zero-Resource Speech Processing", section 3); the rest is in which of several neighbouring codes is taken. So
before a recording is quantised for conversion, its vectors are shifted towards the target's mean, the further the more
speech there is to estimate their own mean from, and the nearest-code search is given a prior:

    z'   = z + mean_shift (mean of the target - mean over the recording) seconds / (seconds + SHRINKAGE)
    code = argmin over k of |z' - e_k|² / dimension - unigram_prior log p(k | target)

That is the maximum a posteriori code where vectors scatter around those of the codebook like a Gaussian with a variance
of ``unigram_prior / 2`` per component. Both weights are the model's (``QuantizerConfig``): they buy likeness to the
target for words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from vqspeech.model.quantizer import Quantizer

#: Seconds of speech at which a recording's mean is trusted half: in a short one its words weigh more.
SHRINKAGE = 2.0


@dataclass(frozen=True)
class SpeakerStats:
    """Statistics of a speaker's speech as the encoder represents it.

    Attributes:
        mean: ``(dimension,)``, of the encoder's vectors.
        unigram: ``(codes,)``, probability of each code; they add up to 1.
        pitch: ``(2,)``, mean and standard deviation of log-F0; zeros where they were not computed.
    """

    mean: Tensor
    unigram: Tensor
    pitch: Tensor = field(default_factory=lambda: torch.zeros(2))


class SpeakerStatsTable(nn.Module):
    """The statistics of all speakers of a model; zeros until they are computed.

    Args:
        speakers: how many.
        dimension: of the codebook's vectors.
        codes: K, size of the codebook.
    """

    means: Tensor
    unigrams: Tensor
    pitch: Tensor

    def __init__(self, speakers: int, *, dimension: int, codes: int) -> None:
        super().__init__()
        self.register_buffer("means", torch.zeros(speakers, dimension))
        self.register_buffer("unigrams", torch.zeros(speakers, codes))
        self.register_buffer("pitch", torch.zeros(speakers, 2))

    def computed(self, speakers: Sequence[int]) -> bool:
        """Whether those of all these speakers are there."""
        return bool((self.unigrams[list(speakers)].sum(1) > 0).all())

    def log_f0(self, shares: Mapping[int, float]) -> float | None:
        """The mean of log-F0 of a blend of speakers, shares adding up to 1; None where one of theirs is not there."""
        means = self.pitch[list(shares), 0].tolist()
        if not all(means):
            return None
        return sum(mean * share for mean, share in zip(means, shares.values(), strict=True))

    def update(self, speaker: int, vectors: Tensor, quantizer: Quantizer, speech: Tensor | None = None) -> None:
        """Compute the statistics of a speaker.

        Args:
            speaker: index.
            vectors: the encoder's output for its speech, ``(n, dimension)``.
            quantizer: has the codebook.
            speech: ``(n,)`` bool, where there is speech, over which the mean is taken as over that of a recording that
                is converted; None, or all False, for everywhere.
        """
        counted = vectors if speech is None or not speech.any() else vectors[speech]
        self.means[speaker] = counted.mean(0)
        # Add-one smoothing: a code that did not occur is unlikely, not impossible.
        counts = 1.0 + torch.bincount(quantizer.nearest(vectors), minlength=self.unigrams.shape[1])  # (codes,)
        self.unigrams[speaker] = counts / counts.sum()

    def blended(self, weights: Mapping[int, float]) -> SpeakerStats:
        """Statistics of a blend of speakers, index to weight; the weights add up to 1."""
        rows, values = list(weights), self.means.new_tensor(list(weights.values()))  # (speakers,)
        return SpeakerStats(values @ self.means[rows], values @ self.unigrams[rows], values @ self.pitch[rows])


@torch.no_grad()
def adapt_codes(z: Tensor, speech: Tensor, target: SpeakerStats, quantizer: Quantizer, *, code_rate: float) -> Tensor:
    """The codes of a recording, adapted to the speaker it is converted to.

    Args:
        z: ``(codes, dimension)``, the encoder's output for the whole recording.
        speech: ``(codes,)`` bool, over which the recording's mean is taken: silence would bias it. All False: no shift.
        target: statistics of the target speaker.
        quantizer: has the codebook.
        code_rate: in Hz.

    Returns:
        ``(codes,)`` int64.
    """
    count = int(speech.sum())
    mean = (z * speech[:, None]).sum(0) / max(count, 1)  # (dimension,)
    config = quantizer.config
    shift = config.mean_shift * (target.mean - mean) * (count / (count + SHRINKAGE * code_rate))  # (dimension,)
    return quantizer.nearest(z + shift, -config.unigram_prior * z.shape[1] * target.unigram.log())
