"""How many bits a prior takes for each code of a sequence."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike, NDArray

from vqspeech.model.prior import Prior

#: Sequences and codes of each that are worked on at a time; what is before is remembered.
_BATCH, _BLOCK = 16, 512


@torch.no_grad()
def code_bits(prior: Prior, sequences: Sequence[ArrayLike], speakers: Sequence[int]) -> list[NDArray[np.float32]]:
    """Bits of every code given all before it, ``-log2 p``.

    Args:
        prior: in evaluation mode.
        sequences: each ``(frames,)``, whole from their first code on.
        speakers: index of each one's speaker, or ``prior.unconditional``.

    Returns:
        For each sequence ``(frames,)`` float32.
    """
    device = prior.output.weight.device
    bits: list[NDArray[np.float32]] = [np.zeros(len(np.asarray(sequence)), np.float32) for sequence in sequences]
    # Sequences of like length share a batch, so that little is computed for nothing.
    order = sorted((i for i in range(len(bits)) if len(bits[i])), key=lambda i: -len(bits[i]))
    for at in range(0, len(order), _BATCH):
        rows = order[at : at + _BATCH]
        codes = np.zeros((len(rows), len(bits[rows[0]])), np.int64)
        for row, i in enumerate(rows):
            codes[row, : len(bits[i])] = sequences[i]
        target = torch.from_numpy(codes).to(device)  # (batch, frames)
        previous = prior.previous(target)
        speaker = torch.tensor([speakers[i] for i in rows], device=device)
        cache = prior.cache()
        for first in range(0, codes.shape[1], _BLOCK):
            block = slice(first, first + _BLOCK)
            logits = prior(previous[:, block], speaker, cache).float()  # (batch, block, codes)
            nll = F.cross_entropy(logits.transpose(1, 2), target[:, block], reduction="none").cpu().numpy()
            for row, i in enumerate(rows):
                kept = bits[i][block]
                kept[:] = nll[row, : len(kept)] / math.log(2)
    return bits
