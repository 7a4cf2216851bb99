"""The conditioning network of a voice over a stream: quantised vectors and pitch in, conditioning frames out."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from vqspeech.model.conditioner import Conditioner
from vqspeech.model.speaker_conditioning import Voice, VoiceComponent
from vqspeech.streaming.layers import Stacks, StreamedConvolution


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
        stacks: makes its residual blocks.
    """

    def __init__(self, component: VoiceComponent, stacks: Stacks) -> None:
        network = component.conditioner
        self._network, self._speaker = network, component.vector
        channels, half = network.config.channels, len(network.blocks) // 2
        # As "same" pads: the smaller half before, the larger behind.
        self._input = StreamedConvolution(network.input, (network.config.kernel - 1) // 2)
        speaker = component.vector if network.modulated else None
        self._at_code_rate = stacks.open(network.blocks[:half], channels, speaker)
        self._at_frame_rate = stacks.open(network.blocks[half:], channels, speaker)

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
        x = x.repeat_interleave(network.frames_per_code, 0)  # (frames, channels)
        if network.pitch is not None:
            given = x.new_zeros(len(x), network.pitch.in_features) if pitch is None else pitch
            x = x + network.pitch(given)
        x = self._at_frame_rate.push(x)
        if network.modulated:
            return F.layer_norm(x, x.shape[-1:])
        return F.relu(x) if len(network.blocks) else x


class StreamedVoice:
    """All components of a voice, side by side, as ``Voice.frames`` has them.

    Args:
        voice: a speaker or a blend.
        stacks: makes the residual blocks of each.
    """

    def __init__(self, voice: Voice, stacks: Stacks) -> None:
        self.voice = voice
        self._components = [StreamedConditioner(component, stacks) for component in voice.components]

    def push(self, values: Tensor, pitch: Tensor | None) -> Tensor:
        """As ``StreamedConditioner.push``: ``(frames, components x channels)``."""
        return torch.cat([component.push(values, pitch) for component in self._components], 1)
