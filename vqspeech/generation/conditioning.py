"""Conditioning frames of long code sequences, block by block, so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from vqspeech.model.chunking import blockwise
from vqspeech.model.speaker_conditioning import Voice
from vqspeech.model.vqvae import VQVAE

#: Seconds that the conditioning network sees at a time.
_BLOCK_SECONDS = 30


@torch.no_grad()
def frames(network: VQVAE, codes: Tensor, voice: Voice, begin: int, stop: int) -> Tensor:
    """Conditioning frames of the codes from ``begin`` to ``stop``, which hear those around them.

    Args:
        network: in evaluation mode.
        codes: ``(codes,)`` int64, of the whole utterance.
        voice: who speaks.
        begin: first code.
        stop: the one after the last.

    Returns:
        ``((stop - begin) x frames_per_code, channels)``.
    """
    context, scale = network.conditioner.context, network.conditioner.frames_per_code
    left = min(begin, context)
    window = codes[begin - left : stop + context]
    lookup = network.quantizer.lookup
    made = blocks(network, lambda piece: voice.frames(lookup(piece)).transpose(1, 2), window, scale=scale)
    return made[0, :, left * scale : (left + stop - begin) * scale].t()


def blocks(network: VQVAE, function: Callable[[Tensor], Tensor], codes: Tensor, *, scale: int) -> Tensor:
    """Apply a function of what the conditioning network makes to ``(codes,)``, however many they are."""
    block = round(_BLOCK_SECONDS * network.config.code_rate)
    return blockwise(function, codes[None], block=block, context=network.conditioner.context, scale=scale)
