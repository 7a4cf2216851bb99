"""The end of a unit model's training: its projection by principal components, its codebook by k-means."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqspeech.model.vqvae import VQVAE
from vqspeech.training.pack import Pack

#: Vectors of which a codebook that stays is made.
VECTORS = 200_000


@torch.no_grad()
def place_codebook(
    model: VQVAE,
    pack: Pack,
    *,
    vectors: int,
    seed: int,
    iterations: int = 30,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Set projection and codebook by the hidden vectors of whole utterances, drawn at random.

    The projection takes the principal components, scaled alike, so that the first of them has unit spread.

    Args:
        model: whose encoder is trained; in evaluation mode.
        pack: the speech.
        vectors: how many to gather at least, if the pack has as many.
        seed: of the draw of utterances and of the first codes.
        iterations: of k-means.
        progress: called with the vectors gathered and all of them.
    """
    encoder = model.encoder
    hidden: list[Tensor] = []
    gathered = 0
    for waveform in _utterances(pack, model.config.code_hop, seed):
        shaped = model.companding.preemphasise(torch.from_numpy(waveform)[None])  # (1, samples)
        last = encoder.hidden(encoder.features(shaped))[-1].float()  # (1, channels, codes)
        if encoder.config.instance_norm:
            last = torch.nn.functional.layer_norm(last, last.shape[-1:])
        hidden.append(last[0].t())  # (codes, channels)
        gathered += len(hidden[-1])
        if progress is not None:
            progress(min(gathered, vectors), vectors)
        if gathered >= vectors:
            break
    if progress is not None and gathered < vectors:
        progress(gathered, gathered)  # the pack has no more
    stacked = torch.cat(hidden)  # (vectors, channels)
    mean = stacked.mean(0)
    centred = stacked - mean
    values, components = torch.linalg.eigh(centred.double().t() @ centred.double() / len(centred))
    chosen = (components[:, -encoder.config.dimension :].flip(1) / values[-1].sqrt()).float()  # (channels, dimension)
    encoder.projection.weight.copy_(chosen.t()[:, :, None])  # (dimension, channels, 1)
    assert encoder.projection.bias is not None
    encoder.projection.bias.copy_(-mean @ chosen)  # (dimension,)
    projected = centred @ chosen  # (vectors, dimension)
    if encoder.config.frame_norm:
        projected = torch.nn.functional.layer_norm(projected, projected.shape[-1:])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model.quantizer.start(projected, iterations)


def _utterances(pack: Pack, hop: int, seed: int) -> Iterator[NDArray[np.float32]]:
    """Utterances in random order, each cut to a whole number of codes."""
    for index in np.random.default_rng(seed).permutation(len(pack.ends)).tolist():
        start, end = int(pack.ends[index - 1]) if index else 0, int(pack.ends[index])
        if end - start >= hop:
            yield pack.samples[start : end - (end - start) % hop].astype(np.float32) / np.float32(32767)
