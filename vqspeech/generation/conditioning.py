"""The conditioning of one utterance: computed once where that fits in memory, by chunks where it does not."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from vqspeech.model.chunking import apply_chunked
from vqspeech.model.conditioner import PITCH_FEATURES
from vqspeech.model.speaker_conditioning import Voice
from vqspeech.model.vqvae import VQVAE

#: Seconds of codes that the conditioning network is given at a time.
_BLOCK_SECONDS = 30
#: Seconds up to which an utterance's frames are kept: 15 MB at 250 frames per second of 256 channels.
_KEPT_SECONDS = 60


class ConditioningPlan:
    """What conditions the decoder through an utterance.

    Args:
        network: in evaluation mode.
        codes: ``(codes,)`` int64, of the whole utterance.
        voice: whose.
        pitch: ``(codes x frames_per_code, PITCH_FEATURES)``; None to leave intonation to the model.
    """

    def __init__(self, network: VQVAE, codes: Tensor, voice: Voice, pitch: Tensor | None = None) -> None:
        self.network = network
        self.codes = codes
        self.voice = voice
        self.pitch = pitch

    def __len__(self) -> int:
        """How many codes."""
        return len(self.codes)

    @property
    def frames_per_code(self) -> int:
        """Conditioning frames per code."""
        return self.network.conditioner.frames_per_code

    def frames(self, begin: int, stop: int) -> Tensor:
        """Conditioning frames of the codes from ``begin`` to ``stop``, which depend on those around them.

        Args:
            begin: first code.
            stop: the one after the last.

        Returns:
            ``((stop - begin) x frames_per_code, channels)``.
        """
        if len(self.codes) <= _KEPT_SECONDS * self.network.config.code_rate:
            return self._all[begin * self.frames_per_code : stop * self.frames_per_code]
        return self._compute(begin, stop)

    def mel(self, begin: int, stop: int) -> Tensor | None:
        """Log-mel bands that the auxiliary head predicts, ``(frames, mel_bands)``; None without such a head."""
        return self.voice.mel(self.frames(begin, stop))

    @cached_property
    def _all(self) -> Tensor:
        return self._compute(0, len(self.codes))

    @torch.no_grad()
    def _compute(self, begin: int, stop: int) -> Tensor:
        network, scale = self.network, self.frames_per_code
        context = network.conditioner.context
        left = min(begin, context)
        rows = self.codes[None].float()  # (1, codes); exact, for codebooks are far smaller than 2^24
        if self.pitch is not None:
            rows = torch.cat([rows, self.pitch.view(len(self.codes), -1).t()])  # (1 + features per code, codes)
        made = apply_chunked(
            self._chunk,
            rows[None, :, begin - left : stop + context],
            block=round(_BLOCK_SECONDS * network.config.code_rate),
            context=context,
            scale=scale,
        )  # (1, channels, frames)
        return made[0, :, left * scale : (left + stop - begin) * scale].t()  # (frames, channels)

    def _chunk(self, rows: Tensor) -> Tensor:
        """``(1, 1 + features per code, codes)`` -> ``(1, channels, frames)``."""
        values = self.network.quantizer.lookup(rows[:, 0].long())  # (1, dimension, codes)
        pitch = rows[0, 1:].t().reshape(1, -1, PITCH_FEATURES) if self.pitch is not None else None
        return self.voice.frames(values, pitch).transpose(1, 2)
