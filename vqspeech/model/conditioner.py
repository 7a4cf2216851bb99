"""The conditioning network: from quantised vectors and a speaker to the decoder's conditioning frames."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqspeech.model.config import ConditionerConfig
from vqspeech.model.residual import ModulatedBlock, ResidualBlock, reach

#: Of a frame of pitch: log-F0 in the speaker's deviations from the speaker's mean (0 where unvoiced), voicing, and
#: whether pitch is given at all; all zeros where it is not.
PITCH_FEATURES = 3


class Conditioner(nn.Module):
    """A convolution over codes, then residual blocks at the code and the frame rate; the speaker takes part in both.

    Args:
        config: sizes.
        code_dimension: of the codebook's vectors.
        code_hop: samples per code, a multiple of ``config.hop``.
        speakers: how many.
    """

    def __init__(self, config: ConditionerConfig, *, code_dimension: int, code_hop: int, speakers: int) -> None:
        super().__init__()
        self.config = config
        self.frames_per_code = code_hop // config.hop
        self.speakers = nn.Embedding(speakers, config.speaker_dimension)
        self.modulated = config.block == "modulated"
        beside = 0 if self.modulated else config.speaker_dimension
        self.input = nn.Conv1d(code_dimension + beside, config.channels, config.kernel, padding="same")
        self.pitch = nn.Linear(PITCH_FEATURES, config.channels) if config.pitch else None
        self.blocks = nn.ModuleList(
            ModulatedBlock(config.channels, dilation, config.speaker_dimension)
            if self.modulated
            else ResidualBlock(config.channels, dilation)
            for dilation in config.dilations
        )
        self.mel_head = nn.Linear(config.channels, config.mel_bands) if config.mel_bands else None
        self.cepstral_head = nn.Linear(config.channels, config.cepstra) if config.cepstra else None
        self.feature_head = nn.Linear(config.channels, config.features) if config.features else None

    @property
    def auxiliary_head(self) -> nn.Linear | None:
        """What trains the encoder beside the decoder, or before it: the mel head or the cepstral one, if any."""
        return self.mel_head or self.cepstral_head

    @property
    def reach(self) -> tuple[int, int]:
        """Codes before and after its own that can reach a frame."""
        half = len(self.config.dilations) // 2
        at_code_rate, at_frame_rate = reach(self.config.dilations[:half]), reach(self.config.dilations[half:])
        past, ahead = (
            self.config.kernel // 2 + codes - (-frames // self.frames_per_code)
            for codes, frames in zip(at_code_rate, at_frame_rate, strict=True)
        )
        return past, ahead

    @property
    def context(self) -> int:
        """Codes on either side of its own that can reach a frame."""
        return max(self.reach)

    def forward(self, values: Tensor, speaker: Tensor, pitch: Tensor | None = None) -> Tensor:
        """Make conditioning frames.

        Args:
            values: ``(batch, code_dimension, codes)``, quantised.
            speaker: ``(batch, speaker_dimension)``, rows of ``speakers`` or blends of them.
            pitch: ``(batch, codes x frames_per_code, PITCH_FEATURES)``; None where it is not given.

        Returns:
            ``(batch, codes x frames_per_code, channels)``.
        """
        return self._modulated(values, speaker, pitch) if self.modulated else self._plain(values, speaker)

    def _plain(self, values: Tensor, speaker: Tensor) -> Tensor:
        spread = speaker[:, :, None].expand(-1, -1, values.shape[2])  # (batch, speaker_dimension, codes)
        x = self.input(torch.cat([values, spread], 1))  # (batch, channels, codes)
        half = len(self.blocks) // 2
        for block in self.blocks[:half]:
            x = block(x)
        x = x.repeat_interleave(self.frames_per_code, 2)  # (batch, channels, frames)
        for block in self.blocks[half:]:
            x = block(x)
        if len(self.blocks):
            x = F.relu(x)
        return x.transpose(1, 2)  # (batch, frames, channels)

    def _modulated(self, values: Tensor, speaker: Tensor, pitch: Tensor | None) -> Tensor:
        x = self.input(values).transpose(1, 2)  # (batch, codes, channels)
        half = len(self.blocks) // 2
        for block in self.blocks[:half]:
            x = block(x, speaker)
        x = x.repeat_interleave(self.frames_per_code, 1)  # (batch, frames, channels)
        if self.pitch is not None:
            if pitch is None:
                pitch = x.new_zeros(*x.shape[:2], PITCH_FEATURES)
            x = x + self.pitch(pitch)  # (batch, frames, channels)
        for block in self.blocks[half:]:
            x = block(x, speaker)
        return F.layer_norm(x, x.shape[-1:])
