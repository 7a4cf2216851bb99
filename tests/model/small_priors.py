"""Very small priors for tests, of both kinds."""

from __future__ import annotations

import torch

from vqspeech.model.prior import Prior
from vqspeech.model.prior.config import ConvolutionsConfig, NetworkConfig, PriorConfig, TransformerConfig

CODES = 7
NETWORKS: dict[str, NetworkConfig] = {
    "convolutions": ConvolutionsConfig(layers=4, cycle=2, kernel=3, width=6, gate=5, skip=8, dropout=0.0),
    "transformer": TransformerConfig(layers=2, width=12, heads=3, feed_forward=16, window=5, dropout=0.0),
}


def make_prior(
    kind: str = "convolutions", speakers: tuple[str, ...] = ("ann", "bob"), *, codes: int = CODES, bigrams: bool = True
) -> Prior:
    """A prior with weights none of which is zero, in evaluation mode."""
    torch.manual_seed(1)
    prior = Prior(PriorConfig(codes=codes, made_by=None, bigrams=bigrams, network=NETWORKS[kind]), speakers)
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.4)
    return prior.eval()
