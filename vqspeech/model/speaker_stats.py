"""Codes brought to a voice: the decoder has learnt each voice from that voice's own codes, and codes tell who speaks.

Most of what an encoder says of a speaker is in the mean of its vectors (van Niekerk et al. 2021, "Analyzing Speaker
Information in Self-Supervised Models to Improve Zero-Resource Speech Processing", section 3); the rest is in which of
the neighbouring codes are taken. So before a recording is quantised to be spoken in a voice, its vectors are moved as a
whole towards the voice's mean, the further the more speech there is to trust their own mean by, and of the codes near a
vector the voice's frequent ones are preferred:

    z'   = z + (mean of the voice - mean over the recording) seconds / (seconds + SHORT)
    code = argmin over k of |z' - e_k|² / dimension - PREFERENCE log p(k | voice)

That is the likeliest code where vectors scatter around those of the codebook like a Gaussian.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vqspeech.model.quantizer import Quantizer

#: Twice the variance that is assumed of a component around its code.
PREFERENCE = 0.05
#: Seconds of speech at which a recording's mean is trusted half: in a short one its words weigh more.
SHORT = 2.0


@dataclass(frozen=True)
class Habits:
    """What the codes of a voice are like.

    Attributes:
        mean: ``(dimension,)``, of what the encoder says of it.
        shares: ``(codes,)``, how often it uses each code; they add up to 1.
    """

    mean: Tensor
    shares: Tensor


class Matching(nn.Module):
    """The habits of all voices of a model; zeros until they are measured.

    Args:
        speakers: how many.
        dimension: of the codebook's vectors.
        codes: K, size of the codebook.
    """

    means: Tensor
    shares: Tensor

    def __init__(self, speakers: int, *, dimension: int, codes: int) -> None:
        super().__init__()
        self.register_buffer("means", torch.zeros(speakers, dimension))
        self.register_buffer("shares", torch.zeros(speakers, codes))

    def known(self, speakers: Sequence[int]) -> bool:
        """Whether these were measured."""
        return bool((self.shares[list(speakers)].sum(1) > 0).all())

    def learn(self, speaker: int, vectors: Tensor, quantizer: Quantizer) -> None:
        """Measure a voice.

        Args:
            speaker: its place.
            vectors: what the encoder says of its speech, ``(n, dimension)``.
            quantizer: has the codebook.
        """
        self.means[speaker] = vectors.mean(0)
        # One more of each: a code that was not met is unlikely, not impossible.
        counts = 1.0 + torch.bincount(quantizer.nearest(vectors), minlength=self.shares.shape[1])
        self.shares[speaker] = counts / counts.sum()

    def habits(self, blend: Mapping[int, float]) -> Habits:
        """Those of a blend of speakers, by their places; the weights add up to 1."""
        weights, rows = self.means.new_tensor(list(blend.values())), list(blend)
        return Habits(weights @ self.means[rows], weights @ self.shares[rows])


@torch.no_grad()
def matched_codes(z: Tensor, speech: Tensor, habits: Habits, quantizer: Quantizer, *, code_rate: float) -> Tensor:
    """The codes of a recording that is to be spoken in a voice.

    Args:
        z: ``(codes, dimension)``, what the encoder says of the whole recording.
        speech: ``(codes,)`` bool, where the mean is taken: long silence says nothing of a speaker. All False: nowhere.
        habits: of the voice.
        quantizer: has the codebook.
        code_rate: in Hz.

    Returns:
        ``(codes,)`` int64.
    """
    spoken = int(speech.sum())
    own = (z * speech[:, None]).sum(0) / max(spoken, 1)
    shift = (habits.mean - own) * (spoken / (spoken + SHORT * code_rate))
    return quantizer.nearest(z + shift, -PREFERENCE * z.shape[1] * habits.shares.log())
