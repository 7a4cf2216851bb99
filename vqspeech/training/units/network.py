"""The network that is trained: the model's encoder, a mask token, and a predictor that no model keeps."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqspeech.model.residual import ModulatedBlock
from vqspeech.model.vqvae import VQVAE
from vqspeech.training.augmentation import SpectralAugmentation
from vqspeech.training.units.config import UnitsPreset


class MaskedPredictor(nn.Module):
    """Predict the cluster of each position, from an input that is masked in spans (Hsu et al. 2021, "HuBERT").

    Args:
        preset: sizes.
        clusters: how many there are to tell apart.
    """

    def __init__(self, preset: UnitsPreset, clusters: int) -> None:
        super().__init__()
        encoder = preset.model.encoder
        #: Without voices: it has units only.
        self.model = VQVAE(preset.model, ())
        #: What a masked log-mel frame is replaced with.
        self.token = nn.Parameter(torch.zeros(encoder.mel_bands))
        self.blocks = nn.ModuleList(ModulatedBlock(encoder.channels, d) for d in preset.training.predictor)
        self.head = nn.Linear(encoder.channels, clusters)

    def logits(self, waveform: Tensor, mask: Tensor | None, alter: SpectralAugmentation | None = None) -> Tensor:
        """Scores of the clusters.

        Args:
            waveform: ``(batch, time)`` at the working level, a whole number of codes.
            mask: ``(batch, positions)`` bool, where the input is masked; None nowhere.
            alter: augmentation of the power spectra.

        Returns:
            ``(batch, positions, clusters)`` float32.
        """
        encoder = self.model.encoder
        x = encoder.features(self.model.companding.preemphasise(waveform), alter)  # (batch, bands, frames)
        if mask is not None:
            frames = mask.repeat_interleave(x.shape[2] // mask.shape[1], 1)[:, None]  # (batch, 1, frames)
            x = torch.where(frames, self.token[:, None].to(x.dtype), x)
        x = encoder.hidden(x)[-1].transpose(1, 2)  # (batch, positions, channels)
        for block in self.blocks:
            x = block(x)
        scores: Tensor = self.head(F.layer_norm(x, x.shape[-1:])).float()  # (batch, positions, clusters)
        return scores

    def forward(
        self, waveform: Tensor, targets: Tensor, mask: Tensor, alter: SpectralAugmentation | None = None
    ) -> tuple[Tensor, Tensor]:
        """Mean cross-entropies.

        Args:
            waveform: as for ``logits``.
            targets: ``(batch, positions)`` int64, clusters; -1 where there is none.
            mask: as for ``logits``.
            alter: likewise.

        Returns:
            Two scalars, in nats: over masked positions, and over the others.
        """
        losses = F.cross_entropy(
            self.logits(waveform, mask, alter).transpose(1, 2), targets, ignore_index=-1, reduction="none"
        )  # (batch, positions), 0 where there is no target
        known = targets >= 0
        masked, others = known & mask, known & ~mask
        return (losses * masked).sum() / masked.sum().clamp_min(1), (losses * others).sum() / others.sum().clamp_min(1)
