"""The learnt prior: how likely each code is after those before it (van den Oord et al. 2017, section 3.3).

Integers of shape ``(batch, time)`` in, logits out; nothing in it is about speech. The network between embedding and
softmax is one of two kinds with one interface: ``GatedConvolutions`` and ``Transformer``.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vqspeech.model.prior.cache import Cache
from vqspeech.model.prior.config import ConvolutionsConfig, PriorConfig
from vqspeech.model.prior.convolutions import GatedConvolutions
from vqspeech.model.prior.transformer import Transformer


class Prior(nn.Module):
    """Predict each code from those before it and, optionally, the speaker.

    Args:
        config: sizes.
        speakers: names of those whose codes it learns; may be none.
    """

    def __init__(self, config: PriorConfig, speakers: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.config = config
        self.speakers = speakers
        network = config.network
        self.embedding = nn.Embedding(config.codes + 1, network.width)
        self.speaker_embedding = nn.Embedding(len(speakers) + 1, network.width)
        self.network: GatedConvolutions | Transformer = (
            GatedConvolutions(network) if isinstance(network, ConvolutionsConfig) else Transformer(network)
        )
        self.output = nn.Linear(self.network.channels, config.codes)
        self.bigrams = nn.Embedding(config.codes + 1, config.codes) if config.bigrams else None
        nn.init.zeros_(self.speaker_embedding.weight)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)
        if self.bigrams is not None:
            nn.init.zeros_(self.bigrams.weight)

    @property
    def start(self) -> int:
        """What stands before the first code of a sequence."""
        return self.config.codes

    @property
    def unconditional(self) -> int:
        """The speaker index for an unknown or withheld speaker."""
        return len(self.speakers)

    def cache(self) -> Cache:
        """An empty memory of the past, for ``forward``."""
        return Cache(self.config.network.layers)

    def previous(self, codes: Tensor) -> Tensor:
        """Codes of whole sequences one place later, ``start`` before them: ``(batch, time)`` of each."""
        return torch.cat([torch.full_like(codes[:, :1], self.start), codes[:, :-1]], 1)

    def forward(self, previous: Tensor, speaker: Tensor, cache: Cache | None = None) -> Tensor:
        """Predict every code from those before it.

        Args:
            previous: ``(batch, time)`` int64, at ``t`` the code before code ``t``, or ``start``.
            speaker: ``(batch,)`` indices of ``speakers``, or ``unconditional``.
            cache: where the last call left off, if this one goes on from there; it is brought up to date.

        Returns:
            ``(batch, time, codes)`` logits of code ``t``.
        """
        x = self.embedding(previous) + self.speaker_embedding(speaker)[:, None]  # (batch, time, width)
        if torch.is_autocast_enabled(x.device.type):
            x = x.to(torch.get_autocast_dtype(x.device.type))
        logits = self.output(self.network(x, cache))  # (batch, time, codes)
        return logits if self.bigrams is None else logits + self.bigrams(previous)
