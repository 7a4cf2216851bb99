"""The conditioning network: from quantised vectors and a speaker to the decoder's conditioning frames."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqspeech.model.config import ConditionerConfig
from vqspeech.model.residual import ResidualBlock


class Conditioner(nn.Module):
    """A convolution over codes joined with the speaker's vector, then residual blocks at the code and the frame rate.

    Args:
        config: sizes.
        code_dimension: of the codebook's vectors.
        code_hop: samples a code, a multiple of ``config.hop``.
        speakers: how many.
    """

    def __init__(self, config: ConditionerConfig, *, code_dimension: int, code_hop: int, speakers: int) -> None:
        super().__init__()
        self.config = config
        self.frames_per_code = code_hop // config.hop
        self.speakers = nn.Embedding(speakers, config.speaker_dimension)
        self.input = nn.Conv1d(
            code_dimension + config.speaker_dimension, config.channels, config.kernel, padding="same"
        )
        self.blocks = nn.ModuleList(ResidualBlock(config.channels, dilation) for dilation in config.dilations)
        self.mel_head = nn.Linear(config.channels, config.mel_bands) if config.mel_bands else None
        self.cepstral_head = nn.Linear(config.channels, config.cepstra) if config.cepstra else None

    @property
    def auxiliary_head(self) -> nn.Linear | None:
        """What teaches the encoder beside the decoder, or before it: the mel head or the cepstral one, if any."""
        return self.mel_head or self.cepstral_head

    @property
    def context(self) -> int:
        """Codes on either side of its own that can reach a frame."""
        half = len(self.config.dilations) // 2
        at_code_rate = self.config.kernel // 2 + sum(self.config.dilations[:half])
        at_frame_rate = sum(self.config.dilations[half:])
        return at_code_rate - (-at_frame_rate // self.frames_per_code)

    def forward(self, values: Tensor, speaker: Tensor) -> Tensor:
        """Make conditioning frames.

        Args:
            values: ``(batch, code_dimension, codes)``, quantised.
            speaker: ``(batch, speaker_dimension)``, rows of ``speakers`` or blends of them.

        Returns:
            ``(batch, codes x frames_per_code, channels)``.
        """
        spread = speaker[:, :, None].expand(-1, -1, values.shape[2])
        x = self.input(torch.cat([values, spread], 1))
        half = len(self.blocks) // 2
        for block in self.blocks[:half]:
            x = block(x)
        x = x.repeat_interleave(self.frames_per_code, 2)
        for block in self.blocks[half:]:
            x = block(x)
        if len(self.blocks):
            x = F.relu(x)
        return x.transpose(1, 2)
