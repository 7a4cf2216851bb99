"""A voice: what steers the decoder through an utterance, given its codes."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vqspeech.model.conditioner import Conditioner
from vqspeech.model.config import ModelConfig


class Steering(nn.Module):
    """A conditioning network and the projection of its frames into the decoder's layers, for one voice alone.

    Args:
        config: of the model.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        decoder = config.decoder
        self.conditioner = Conditioner(
            config.conditioner, code_dimension=config.encoder.dimension, code_hop=config.code_hop, speakers=1
        )
        self.conditioning = nn.Linear(config.conditioner.channels, decoder.layers * 2 * decoder.gate)

    @classmethod
    def copied(cls, conditioner: Conditioner, conditioning: nn.Linear, vector: Tensor) -> Steering:
        """One that begins as what voices share, in the voice of ``vector``, ``(speaker_dimension,)``."""
        steering = cls.__new__(cls)
        nn.Module.__init__(steering)
        steering.conditioner = copy.deepcopy(conditioner)
        steering.conditioner.speakers = nn.Embedding.from_pretrained(vector.detach().clone()[None], freeze=False)
        steering.conditioning = copy.deepcopy(conditioning)
        return steering

    @property
    def vector(self) -> Tensor:
        """The speaker's vector, ``(speaker_dimension,)``."""
        return self.conditioner.speakers.weight[0]


@dataclass(frozen=True)
class Part:
    """One of the networks that a voice is made of.

    Attributes:
        share: of the steering; those of a voice add up to 1.
        conditioner: makes frames.
        conditioning: projects them into the decoder's layers.
        vector: ``(speaker_dimension,)``, what ``conditioner`` is told of the speaker.
    """

    share: float
    conditioner: Conditioner
    conditioning: nn.Linear
    vector: Tensor


class Voice:
    """A speaker, or a blend of speakers.

    Speakers that share the model's conditioning network are blended by their vectors; a speaker with a network of its
    own takes part with its share of the steering.

    Args:
        parts: one or more.
        layers: of the decoder.
    """

    def __init__(self, parts: Sequence[Part], layers: int) -> None:
        self.parts = tuple(parts)
        self.layers = layers

    def frames(self, values: Tensor) -> Tensor:
        """Conditioning frames, those of all parts side by side.

        Args:
            values: ``(batch, code_dimension, codes)``, quantised.

        Returns:
            ``(batch, codes x frames_per_code, parts x channels)``.
        """
        made = [part.conditioner(values, part.vector.expand(len(values), -1)) for part in self.parts]
        return made[0] if len(made) == 1 else torch.cat(made, -1)

    def steering(self, frames: Tensor) -> Tensor:
        """What is added inside each layer.

        Args:
            frames: ``(..., frames, parts x channels)``.

        Returns:
            ``(..., frames, layers, 2 gate)``.
        """
        return self._blend(frames, [part.conditioning for part in self.parts]).unflatten(-1, (self.layers, -1))

    def mel(self, frames: Tensor) -> Tensor | None:
        """Log-mel bands that the auxiliary head reads off the frames: ``(..., frames, mel_bands)``, if there is one."""
        heads = [part.conditioner.mel_head for part in self.parts if part.conditioner.mel_head is not None]
        return self._blend(frames, heads) if heads else None

    def _blend(self, frames: Tensor, projections: Sequence[nn.Linear]) -> Tensor:
        if len(self.parts) == 1:
            made: Tensor = projections[0](frames)
            return made
        each = zip(self.parts, projections, frames.chunk(len(self.parts), -1), strict=True)
        return torch.stack([part.share * projection(own) for part, projection, own in each]).sum(0)
