"""The encoder: from the waveform to one vector per code."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from vqspeech.errors import InputError
from vqspeech.melspectrogram import log_mel, normalized, window_length
from vqspeech.model.config import EncoderConfig
from vqspeech.model.residual import ModulatedBlock, ResidualBlock, reach


class StridedConvolution(nn.Module):
    """A convolution of window ``2 stride`` whose ``n``-th output is centred on the ``n``-th stride of its input.

    Args:
        channels_in: channels of the input.
        channels_out: channels of the output.
        stride: samples in for one out.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.padding = (stride // 2, stride - stride // 2)
        self.convolution = nn.Conv1d(channels_in, channels_out, 2 * stride, stride)

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, channels_in, time)`` -> ``(batch, channels_out, time / stride)``."""
        return self.convolution(F.pad(x, self.padding))


class Encoder(nn.Module):
    """Strided convolutions as in the paper, dilated residual blocks, and a projection to the codebook's dimension.

    Args:
        config: sizes.
        sample_rate: in Hz; only the log-mel front end asks.
    """

    def __init__(self, config: EncoderConfig, sample_rate: int) -> None:
        super().__init__()
        self.config = config
        self.sample_rate = sample_rate
        channels = config.mel_bands if config.front_end == "log-mel" else 1
        strided = []
        for stride in config.strides:
            strided.append(StridedConvolution(channels, config.channels, stride))
            channels = config.channels
        self.strided = nn.ModuleList(strided)
        block = ModulatedBlock if config.block == "modulated" else ResidualBlock
        self.blocks = nn.ModuleList(block(channels, dilation) for dilation in config.dilations)
        self.projection = nn.Conv1d(channels, config.dimension, 1)

    @property
    def reach(self) -> tuple[int, int]:
        """Samples before and after a code's own that can reach it, at most (without a norm over the utterance)."""
        hop, past, ahead = 1, 0, 0
        if self.config.front_end == "log-mel":
            hop = self.config.mel_hop
            past = ahead = max(0, -(-(window_length(self.sample_rate) - hop) // 2))
        for stride in self.config.strides:
            # Windows of two strides, centred.
            past, ahead = past + stride // 2 * hop, ahead + (stride - stride // 2) * hop
            hop *= stride
        before, after = reach(self.config.dilations)
        return past + hop * before, ahead + hop * after

    @property
    def context(self) -> int:
        """Samples on either side of a code's own that can reach it, at most (without a norm over the utterance)."""
        return max(self.reach)

    def front_end(self, waveform: Tensor, alter: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """Log-mel frames as the first convolution takes them, ``(batch, time)`` -> ``(batch, frames, bands)``."""
        frames = self.log_mel(waveform, alter)
        return normalized(frames) if self.config.input_norm else frames

    def log_mel(self, waveform: Tensor, alter: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """The same, not normalised."""
        config = self.config
        return log_mel(waveform, sample_rate=self.sample_rate, hop=config.mel_hop, bands=config.mel_bands, alter=alter)

    def forward(self, waveform: Tensor, alter: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """Encode a pre-emphasised waveform.

        Args:
            waveform: ``(batch, time)``, a multiple of the code hop.
            alter: augmentation of the power spectra of the log-mel front end, see ``log_mel``.

        Returns:
            ``(batch, dimension, codes)``, float32.
        """
        return self.vectors(self.hidden(self.features(waveform, alter))[-1])

    def features(self, waveform: Tensor, alter: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """What the first convolution sees: log-mel frames, ``(batch, bands, frames)``, or ``(batch, 1, time)``.

        Args:
            waveform: as for ``forward``.
            alter: likewise.
        """
        if self.config.external:
            made_by = self.config.source and self.config.source.model
            raise InputError(
                f"the model has no encoder: its codes come from {made_by or 'another system'}",
                hint="make codes with that, and speech of them with vqspeech decode",
            )
        if self.config.front_end == "log-mel":
            return self.front_end(waveform, alter).transpose(1, 2)  # (batch, bands, frames)
        return waveform[:, None]  # (batch, 1, time)

    def hidden(self, x: Tensor) -> list[Tensor]:
        """Outputs of the layers: of the last strided convolution, then of each block.

        Args:
            x: what ``features`` gave.

        Returns:
            ``(batch, channels, codes)`` each.
        """
        config = self.config
        for strided in self.strided:
            x = F.leaky_relu(strided(x), 0.1)  # (batch, channels, time / strides so far)
        outputs = [x]  # (batch, channels, codes)
        if config.block == "modulated":
            x = x.transpose(1, 2)  # (batch, codes, channels)
            for block in self.blocks:
                x = block(x)
                outputs.append(x.transpose(1, 2))
        else:
            for block in self.blocks:
                x = block(x)
                outputs.append(x)
        return outputs

    def vectors(self, x: Tensor) -> Tensor:
        """What is quantised, ``(batch, dimension, codes)`` float32, of the last of ``hidden``."""
        config = self.config
        if config.instance_norm:
            # The same as F.instance_norm, which refuses an utterance of a single code.
            x = F.layer_norm(x.float(), x.shape[-1:])
        z: Tensor = self.projection(x).float()  # (batch, dimension, codes)
        if config.frame_norm:
            # Without parameters and over one frame alone, so that it is the same in training and in use: batch
            # normalisation and running statistics here gave other codes in evaluation than in training.
            z = F.layer_norm(z.transpose(1, 2), (config.dimension,)).transpose(1, 2)
        return z
