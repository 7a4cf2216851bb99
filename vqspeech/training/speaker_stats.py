"""What the codes of each voice of a model are like, measured on the speech that it learns from."""

from __future__ import annotations

import numpy as np
import torch

from vqspeech.model.vqvae import VQVAE
from vqspeech.training.pack import Pack

#: Speech that is listened to of a speaker, at most, in pieces that are spread over all there is, in seconds.
SECONDS, PIECE = 80, 8


@torch.no_grad()
def measure_voices(model: VQVAE, pack: Pack) -> None:
    """Fill ``model.matching``.

    Args:
        model: in evaluation mode; its encoder and codebook stay as they are.
        pack: speech of its speakers, in their order.
    """
    device = model.quantizer.codebook.device
    hop = model.config.code_hop
    for speaker in range(len(model.speakers)):
        first, end = pack.speaker_range(speaker)
        length = min(PIECE * pack.sample_rate, end - first)
        count = min(SECONDS // PIECE, (end - first) // length)
        vectors = []
        for start in np.linspace(first, end - length, count).astype(int):
            samples = np.pad(pack.samples[start : start + length], (0, -length % hop))
            heard = torch.from_numpy(samples.astype(np.float32) / 32767)
            vectors.append(model.encoder(model.companding.shape(heard[None].to(device)))[0].t().float())
        model.matching.learn(speaker, torch.cat(vectors), model.quantizer)
