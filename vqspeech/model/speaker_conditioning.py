"""Conditioning of the decoder on a speaker or a blend of speakers, given the codes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vqspeech.model.conditioner import Conditioner
from vqspeech.model.config import ModelConfig


class SpeakerAdapter(nn.Module):
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
    def copied(cls, conditioner: Conditioner, conditioning: nn.Linear, vector: Tensor) -> SpeakerAdapter:
        """A copy of the shared networks, with the speaker vector ``(speaker_dimension,)``."""
        adapter = cls.__new__(cls)
        nn.Module.__init__(adapter)
        adapter.conditioner = copy.deepcopy(conditioner)
        adapter.conditioner.speakers = nn.Embedding.from_pretrained(vector.detach().clone()[None], freeze=False)
        adapter.conditioning = copy.deepcopy(conditioning)
        return adapter

    @property
    def vector(self) -> Tensor:
        """The speaker's vector, ``(speaker_dimension,)``."""
        return self.conditioner.speakers.weight[0]


@dataclass(frozen=True)
class VoiceComponent:
    """One of the networks that a voice combines.

    Attributes:
        weight: of its conditioning; those of a voice add up to 1.
        conditioner: makes frames.
        conditioning: projects them into the decoder's layers.
        vector: ``(speaker_dimension,)``, the speaker's embedding.
    """

    weight: float
    conditioner: Conditioner
    conditioning: nn.Linear
    vector: Tensor


class Voice:
    """A speaker, or a blend of speakers.

    Speakers that share the model's conditioning network are blended by their vectors; a speaker with a network of its
    own, a ``SpeakerAdapter``, contributes to the conditioning by its weight.

    Args:
        components: one or more.
        layers: of the decoder.
    """

    def __init__(self, components: Sequence[VoiceComponent], layers: int) -> None:
        self.components = tuple(components)
        self.layers = layers

    def frames(self, values: Tensor, pitch: Tensor | None = None) -> Tensor:
        """Conditioning frames, those of all components side by side.

        Args:
            values: ``(batch, code_dimension, codes)``, quantised.
            pitch: ``(batch, frames, PITCH_FEATURES)``; None where it is not given.

        Returns:
            ``(batch, codes x frames_per_code, components x channels)``.
        """
        made = [
            component.conditioner(values, component.vector.expand(len(values), -1), pitch)
            for component in self.components
        ]
        return made[0] if len(made) == 1 else torch.cat(made, -1)

    def conditioning(self, frames: Tensor) -> Tensor:
        """Conditioning of all layers: what is added before their gates.

        Args:
            frames: ``(..., frames, components x channels)``.

        Returns:
            ``(..., frames, layers, 2 gate)``.
        """
        return self.blend(frames, [component.conditioning for component in self.components]).unflatten(
            -1, (self.layers, -1)
        )

    def mel(self, frames: Tensor) -> Tensor | None:
        """Log-mel bands that the auxiliary head reads off the frames: ``(..., frames, mel_bands)``, if there is one."""
        heads = [
            component.conditioner.mel_head
            for component in self.components
            if component.conditioner.mel_head is not None
        ]
        return self.blend(frames, heads) if heads else None

    def blend(
        self,
        frames: Tensor,
        projections: Sequence[nn.Linear],
        apply: Callable[[nn.Linear, Tensor], Tensor] = lambda projection, own: projection(own),
    ) -> Tensor:
        """Put the frames of each component through its own of some linear layers, and add up by weight.

        Args:
            frames: ``(..., frames, components x channels)``.
            projections: of each component.
            apply: how one is applied to ``(..., frames, channels)``.

        Returns:
            ``(..., frames, outputs)``.
        """
        if len(self.components) == 1:
            return apply(projections[0], frames)
        each = zip(self.components, projections, frames.chunk(len(self.components), -1), strict=True)
        return torch.stack([component.weight * apply(projection, own) for component, projection, own in each]).sum(0)
