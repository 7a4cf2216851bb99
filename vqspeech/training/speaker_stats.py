"""Speaker statistics of a model, computed on its training speech."""

from __future__ import annotations

import numpy as np
import torch

from vqspeech.audio import speech_mask
from vqspeech.model.vqvae import VQVAE
from vqspeech.pitch import statistics
from vqspeech.training.pack import PITCH_HOP, Pack

#: Seconds of speech per speaker, at most, and of one of the segments, spread evenly over all there is.
SECONDS, SEGMENT = 80, 8


@torch.no_grad()
def compute_speaker_stats(model: VQVAE, pack: Pack) -> None:
    """Fill ``model.speaker_stats``.

    Args:
        model: in evaluation mode; its encoder and codebook stay as they are.
        pack: speech of its speakers, in their order.
    """
    device = model.device
    hop = model.config.code_hop
    for speaker in range(len(model.speakers)):
        first, end = pack.speaker_range(speaker)
        if len(pack.pitch):
            found = statistics(pack.speaker_f0(speaker), PITCH_HOP / pack.sample_rate)
            model.speaker_stats.pitch[speaker] = torch.tensor([found.mean, found.deviation])
        if model.config.encoder.external:  # there are no vectors, and nothing is adapted
            continue
        length = min(SEGMENT * pack.sample_rate, end - first)
        count = min(SECONDS // SEGMENT, (end - first) // length)
        vectors, speech = [], []
        for start in np.linspace(first, end - length, count).astype(int):
            samples = np.pad(pack.samples[start : start + length], (0, -length % hop))  # (samples,)
            waveform = torch.from_numpy(samples.astype(np.float32) / 32767)
            speech.append(torch.from_numpy(speech_mask(waveform.numpy(), pack.sample_rate, hop=hop)))
            z = model.encoder(model.companding.preemphasise(waveform[None].to(device)))  # (1, dimension, codes)
            vectors.append(z[0].t().float())  # (codes, dimension)
        model.speaker_stats.update(speaker, torch.cat(vectors), model.quantizer, torch.cat(speech).to(device))
