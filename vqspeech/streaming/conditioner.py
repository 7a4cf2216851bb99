"""The conditioning network of a voice over a stream: quantised vectors and pitch in, conditioning frames out."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqspeech.model.conditioner import Conditioner
from vqspeech.model.speaker_conditioning import Voice, VoiceComponent
from vqspeech.streaming.layers import Layers, StreamedConvolution


def pitch_lag(conditioner: Conditioner) -> int:
    """Codes that have to follow one before its pitch takes part: the look-ahead of the half at the code rate."""
    dilations = conditioner.config.dilations
    kernel = conditioner.config.kernel
    return kernel - 1 - (kernel - 1) // 2 + sum(d for d in dilations[: len(dilations) // 2] if d > 0)


def look_ahead(conditioner: Conditioner) -> int:
    """Frames that have to follow one before it is there; ``reach`` rounds them up to codes."""
    dilations = conditioner.config.dilations
    at_frame_rate = sum(d for d in dilations[len(dilations) // 2 :] if d > 0)
    return pitch_lag(conditioner) * conditioner.frames_per_code + at_frame_rate


class StreamedConditioner:
    """One component of a voice.

    Args:
        component: with its network and its speaker's vector.
        layers: makes its layers.
    """

    def __init__(self, component: VoiceComponent, layers: Layers) -> None:
        network = component.conditioner
        self._network, self._speaker, self._layers = network, component.vector, layers
        channels, half = network.config.channels, len(network.blocks) // 2
        # As "same" pads: the smaller half before, the larger behind.
        self._input = StreamedConvolution(network.input, (network.config.kernel - 1) // 2, layers)
        speaker = component.vector if network.modulated else None
        self._at_code_rate = layers.stack(network.blocks[:half], channels, speaker)
        self._at_frame_rate = layers.stack(network.blocks[half:], channels, speaker)

    def push(self, values: Tensor, pitch: Tensor | None) -> Tensor:
        """Take vectors, and the pitch of the codes that come ``pitch_lag`` before them.

        Args:
            values: ``(codes, code_dimension)``, quantised.
            pitch: ``(codes whose turn it is x frames_per_code, PITCH_FEATURES)``; None where it is not given.

        Returns:
            ``(frames whose context is complete, channels)``.
        """
        network = self._network
        if not network.modulated:
            values = torch.cat([values, self._speaker.expand(len(values), -1)], 1)
        x = self._input.push(values)  # (codes, channels)
        x = self._at_code_rate.push(x)
        x = x[:, None].expand(-1, network.frames_per_code, -1).flatten(0, 1)  # (frames, channels)
        if network.pitch is not None:
            given = x.new_zeros(len(x), network.pitch.in_features) if pitch is None else pitch
            x = x + self._layers.linear(network.pitch, given)
        x = self._at_frame_rate.push(x)
        if network.modulated:
            return F.layer_norm(x, x.shape[-1:])
        return F.relu(x) if len(network.blocks) else x


class StreamedVoice:
    """All components of a voice, side by side, as ``Voice.frames`` has them.

    Args:
        voice: a speaker or a blend.
        layers: makes those of each.
    """

    def __init__(self, voice: Voice, layers: Layers) -> None:
        self.voice, self._layers = voice, layers
        self._components = [StreamedConditioner(component, layers) for component in voice.components]

    def push(self, values: Tensor, pitch: Tensor | None) -> Tensor:
        """As ``StreamedConditioner.push``: ``(frames, components x channels)``."""
        made = [component.push(values, pitch) for component in self._components]
        return made[0] if len(made) == 1 else torch.cat(made, 1)

    def conditioning(self, frames: Tensor) -> Tensor:
        """As ``Voice.conditioning``: ``(frames, components x channels)`` -> ``(frames, layers, 2 gate)``."""
        projections = [component.conditioning for component in self.voice.components]
        return self.voice.blend(frames, projections, self._layers.linear).unflatten(-1, (self.voice.layers, -1))

    def mel(self, frames: Tensor) -> Tensor:
        """As ``Voice.mel``, of networks that have a mel head: ``(frames, mel_bands)``."""
        heads = [cast(nn.Linear, component.conditioner.mel_head) for component in self.voice.components]
        return self.voice.blend(frames, heads, self._layers.linear)
