"""Metrics of the VQ-VAE on held-out speech: likelihood, what codes and speaker add to it, mel error, codes in use."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from vqspeech.melspectrogram import cepstra, log_mel, normalized
from vqspeech.model.config import CEPSTRAL_BANDS, ModelConfig
from vqspeech.model.quantizer import perplexity
from vqspeech.model.vqvae import VQVAE
from vqspeech.training.dataset import Batch


@dataclass(frozen=True)
class HeldOut:
    """Metrics on held-out speech, in evaluation mode.

    Attributes:
        nll: teacher-forced negative log-likelihood, nats per sample; it and the gaps are NaN if no decoder
            is trained.
        code_gap: what another segment's codes add to ``nll``; near 0, the decoder ignores the codes.
        speaker_gap: what a wrong speaker adds to ``nll``.
        mel: mean absolute error of the auxiliary head (0 without one).
        perplexity: of the codes' distribution.
        used: codes used at all.
    """

    nll: float
    code_gap: float
    speaker_gap: float
    mel: float
    perplexity: float
    used: int

    @property
    def score(self) -> float:
        """The likelihood decides which model is the best; the auxiliary head's error where there is none."""
        return self.mel if math.isnan(self.nll) else self.nll

    def __str__(self) -> str:
        fit = f"mel error {self.mel:.3f}" if math.isnan(self.nll) else f"{self.nll:.3f} nats per sample"
        return f"{fit}, perplexity {self.perplexity:.0f}"


def auxiliary_target(targets: Tensor, config: ModelConfig) -> Tensor | None:
    """What the auxiliary head is to predict.

    Args:
        targets: ``(batch, samples)``.
        config: of the model.

    Returns:
        ``(batch, frames, values)`` log-mel bands or normalised cepstra; None for a model without the head.
    """
    conditioner = config.conditioner
    if not conditioner.mel_bands and not conditioner.cepstra:
        return None
    bands = log_mel(
        targets,
        sample_rate=config.audio.sample_rate,
        hop=conditioner.hop,
        bands=conditioner.mel_bands or CEPSTRAL_BANDS,
    )
    return normalized(cepstra(bands, conditioner.cepstra)) if conditioner.cepstra else bands


@torch.no_grad()
def measure(model: VQVAE, dev: Batch, *, crop: int, decodes: bool) -> HeldOut:
    """Measure a model on held-out segments, in evaluation mode. Leaves every random state as it was.

    Args:
        model: what is measured; its mode stays as it is.
        dev: the segments.
        crop: samples in their middle that the decoder predicts.
        decodes: whether the decoder is measured at all.
    """
    device = next(model.parameters()).device
    config, training = model.config, model.training
    hop = config.conditioner.hop
    model.eval()
    nll: dict[str, list[Tensor]] = {"right": [], "codes": [], "speaker": []}
    mel_errors, counts = [], torch.zeros(config.quantizer.codes, device=device)
    first = (dev.targets.shape[1] // hop - crop // hop) // 2
    # The decoder has no samples before the crop; those within its receptive field are left out.
    skip = min(config.decoder.receptive_field, crop // 2)
    for batch, other in _pairs_of_batches(dev, device):
        quantized = model.quantize(batch.inputs)
        counts += torch.bincount(quantized.codes.flatten(), minlength=len(counts))
        # The codes of another segment; of a single one, its own half a segment late.
        wrong = model.quantize(other.inputs).values
        if len(dev.speaker) == 1:
            wrong = wrong.roll(wrong.shape[2] // 2, 2)
        wrong_speaker = (batch.speaker + max(1, len(model.speakers) // 2)) % len(model.speakers)
        frames = model.frames(quantized.values, batch.speaker, batch.pitch)  # (batch, frames, channels)
        for name, conditioning in (
            ("right", frames),
            ("codes", model.frames(wrong, batch.speaker, batch.pitch)),
            ("speaker", model.frames(quantized.values, wrong_speaker, batch.pitch)),
        ):
            if not decodes:
                break
            nll[name].append(model.nll(batch.targets, conditioning, (first, crop // hop))[:, skip:].mean(1))  # (batch,)
        target, head = auxiliary_target(batch.targets[:, 1:], config), model.conditioner.auxiliary_head
        if target is not None and head is not None:
            mel_errors.append(F.l1_loss(head(frames).float(), target))
    model.train(training)
    mean = {name: float(torch.cat(values).mean()) if values else math.nan for name, values in nll.items()}
    return HeldOut(
        nll=mean["right"],
        code_gap=mean["codes"] - mean["right"],
        speaker_gap=mean["speaker"] - mean["right"],
        mel=float(torch.stack(mel_errors).mean()) if mel_errors else 0.0,
        perplexity=perplexity(counts),
        used=int((counts > 0).sum()),
    )


def _pairs_of_batches(dev: Batch, device: torch.device, size: int = 8) -> Iterator[tuple[Batch, Batch]]:
    """The held-out segments in batches, each with a batch of other segments."""
    count = len(dev.speaker)
    order = torch.arange(count)
    for rows in order.split(size):
        others = (rows + max(1, count // 2)) % count
        yield tuple(  # type: ignore[misc]
            dev.rows(r).to(device) for r in (rows, others)
        )
