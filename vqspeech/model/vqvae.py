"""The whole model: encoder, quantiser, conditioning network and decoder, joined (van den Oord et al. 2017)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqspeech.companding import Companding
from vqspeech.model.conditioner import Conditioner
from vqspeech.model.config import ModelConfig
from vqspeech.model.encoder import Encoder
from vqspeech.model.quantizer import Quantized, Quantizer, time_jitter
from vqspeech.model.speaker_conditioning import SpeakerAdapter, Voice, VoiceComponent
from vqspeech.model.speaker_stats import SpeakerStatsTable, adapt_codes
from vqspeech.model.sub_bands import SubBandCompanding
from vqspeech.model.wavenet import WaveNet


@dataclass(frozen=True)
class Losses:
    """The terms of the objective, each a scalar tensor; ``total`` weighs and adds them.

    Attributes:
        nll: negative log-likelihood ``-log p(x | z_q)`` in nats per sample; None while the decoder is not trained.
        codebook: ``||sg[z] - e||²`` per component.
        commitment: ``||z - sg[e]||²`` per component.
        mel: mean absolute error of the auxiliary head; None without one.
        features: mean squared error of the head of another model's features; None without one.
    """

    nll: Tensor | None
    codebook: Tensor
    commitment: Tensor
    mel: Tensor | None
    features: Tensor | None = None

    def total(self, *, commitment_weight: float, mel_weight: float, feature_weight: float = 0.0) -> Tensor:
        """``nll + codebook + beta commitment``, plus the auxiliary terms."""
        total = self.codebook + commitment_weight * self.commitment
        if self.nll is not None:
            total = total + self.nll
        if self.mel is not None:
            total = total + mel_weight * self.mel
        if self.features is not None:
            total = total + feature_weight * self.features
        return total


class VQVAE(nn.Module):
    """A VQ-VAE of speech.

    Args:
        config: sizes.
        speakers: names of the voices it learns, in the order of their vectors.
        adapters: places in ``speakers`` of those with a conditioning network of their own.
    """

    def __init__(self, config: ModelConfig, speakers: tuple[str, ...], adapters: Sequence[int] = ()) -> None:
        super().__init__()
        self.config = config
        self.speakers = speakers
        self.codes_kept = False
        self.companding: Companding | SubBandCompanding = (
            Companding(config.audio.levels, config.audio.emphasis, config.audio.gain)
            if config.decoder.bands == 1
            else SubBandCompanding(config.audio, config.decoder.bands)
        )
        self.encoder = Encoder(config.encoder, config.audio.sample_rate)
        self.quantizer = Quantizer(config.quantizer, config.encoder.dimension)
        if config.encoder.external:
            self.encoder.requires_grad_(False)
            self.quantizer.started.fill_(True)
        self.conditioner = Conditioner(
            config.conditioner,
            code_dimension=config.encoder.dimension,
            code_hop=config.code_hop,
            speakers=len(speakers),
        )
        self.decoder = WaveNet(
            config.decoder, classes=config.audio.levels, condition_channels=config.conditioner.channels
        )
        self.speaker_stats = SpeakerStatsTable(
            len(speakers), dimension=config.encoder.dimension, codes=config.quantizer.codes
        )
        self.adapters = nn.ModuleDict({str(speaker): SpeakerAdapter(config) for speaker in adapters})

    @property
    def device(self) -> torch.device:
        """Where its tensors are."""
        return self.quantizer.codebook.device

    def keep_codes(self) -> None:
        """Let training change encoder and codebook no more."""
        self.codes_kept = True
        self.encoder.requires_grad_(False)
        self.quantizer.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Training or evaluation mode, of all that training may change."""
        super().train(mode)
        if self.codes_kept:
            self.encoder.eval()
            self.quantizer.eval()
        return self

    def quantize(self, waveform: Tensor, alter: Callable[[Tensor], Tensor] | None = None) -> Quantized:
        """Encode and quantise.

        Args:
            waveform: ``(batch, time)`` at the working level; for a model without an encoder, codes ``(batch, frames)``.
            alter: augmentation of the encoder's log-mel front end.

        Returns:
            ``time / code_hop`` vectors per row.
        """
        if self.config.encoder.external:
            return self.quantizer.embed(waveform)
        return self.quantizer(self.encoder(self.companding.preemphasise(waveform), alter))

    def adapted_codes(self, vectors: Tensor, speech: Tensor, voice: Mapping[int, float]) -> Tensor:
        """The codes of a recording, adapted to the voice it is converted to; see ``adapt_codes``.

        Args:
            vectors: ``(codes, dimension)``, the encoder's output for it.
            speech: ``(codes,)`` bool, False in silence.
            voice: shares of speakers, by their places in ``speakers``; they add up to 1.

        Returns:
            ``(codes,)`` int64; the nearest ones where a speaker has no statistics.
        """
        if not self.speaker_stats.computed(list(voice)):
            return self.quantizer.nearest(vectors)
        target = self.speaker_stats.blended(voice)
        return adapt_codes(vectors, speech, target, self.quantizer, code_rate=self.config.code_rate)

    def frames(self, values: Tensor, speaker: Tensor, pitch: Tensor | None = None) -> Tensor:
        """Conditioning frames.

        Args:
            values: ``(batch, dimension, codes)``, quantised.
            speaker: ``(batch,)`` indices.
            pitch: ``(batch, frames, 3)``, see ``vqspeech.pitch.relative``, for models that it conditions.

        Returns:
            ``(batch, frames, channels)``.
        """
        return self.conditioner(values, self.conditioner.speakers(speaker), pitch)

    def voice(self, shares: Mapping[int, float]) -> Voice:
        """The voice of a speaker or of a blend.

        Args:
            shares: of speakers, by their places in ``speakers``; they add up to 1.
        """
        parts = []
        shared = {speaker: share for speaker, share in shares.items() if str(speaker) not in self.adapters}
        if shared:
            vectors = self.conditioner.speakers.weight.detach()[list(shared)]  # (speakers, dimension)
            total = sum(shared.values())
            weights = vectors.new_tensor([share / total for share in shared.values()])  # (speakers,)
            vector = (vectors * weights[:, None]).sum(0)  # (speaker_dimension,)
            parts.append(VoiceComponent(total, self.conditioner, self.decoder.conditioning, vector))
        for speaker, share in shares.items():
            if speaker not in shared:
                adapter = cast(SpeakerAdapter, self.adapters[str(speaker)])
                parts.append(VoiceComponent(share, adapter.conditioner, adapter.conditioning, adapter.vector))
        return Voice(parts, self.config.decoder.layers)

    def forward(
        self,
        inputs: Tensor,
        targets: Tensor,
        speaker: Tensor,
        mel: Tensor | None,
        crop: tuple[int, int] | None,
        pitch: Tensor | None = None,
        alter: Callable[[Tensor], Tensor] | None = None,
        features: Tensor | None = None,
    ) -> tuple[Losses, Tensor]:
        """Compute the loss terms of a batch.

        Args:
            inputs: ``(batch, time)``, the encoder's input: the waveform, or a perturbed copy of it; or codes, as for
                ``quantize``.
            targets: ``(batch, time + 1)``, the waveform to reconstruct, with the one sample before it.
            speaker: ``(batch,)`` indices.
            mel: ``(batch, time / conditioner.hop, values)``, targets of the auxiliary head; None without one.
            crop: first frame and number of frames that the decoder predicts; None leaves the decoder out.
            pitch: as for ``frames``.
            alter: as for ``quantize``.
            features: ``(batch, time / conditioner.hop, conditioner.features)``, targets of the feature head.

        Returns:
            The loss terms, and the codes ``(batch, codes)``.
        """
        quantized = self.quantize(inputs, alter)
        values = quantized.values  # (batch, dimension, codes)
        if self.training and self.config.quantizer.jitter and self.quantizer.started:
            values = time_jitter(values, self.config.quantizer.jitter)
        first, frames = self._needed_frames(values, speaker, pitch, crop)
        mel_error, head = None, self.conditioner.auxiliary_head
        if head is not None and mel is not None:
            mel_error = F.l1_loss(head(frames).float(), mel[:, first : first + frames.shape[1]])
        feature_error, head = None, self.conditioner.feature_head
        if head is not None and features is not None:
            feature_error = F.mse_loss(head(frames).float(), features[:, first : first + frames.shape[1]])
        nll = None
        if crop is not None:
            previous, current = self.decoder_classes(targets, *crop)
            in_crop = frames[:, crop[0] - first : crop[0] - first + crop[1]]  # (batch, frames of the crop, channels)
            nll = _nll(self.decoder(previous, in_crop, current), current).mean()
        losses = Losses(nll, quantized.codebook_loss, quantized.commitment_loss, mel_error, feature_error)
        return losses, quantized.codes

    def _needed_frames(
        self, values: Tensor, speaker: Tensor, pitch: Tensor | None, crop: tuple[int, int] | None
    ) -> tuple[int, Tensor]:
        """Conditioning frames that the losses need, and which is the first of them.

        All of the segment train the encoder; where it is fixed, those of the crop suffice, computed from as many codes
        as can reach them.
        """
        if crop is None or not self.codes_kept:
            return 0, self.frames(values, speaker, pitch)
        scale, (past, ahead) = self.conditioner.frames_per_code, self.conditioner.reach
        first, count = crop
        begin = max(0, first // scale - past)
        stop = -(-(first + count) // scale) + ahead
        window = None if pitch is None else pitch[:, begin * scale : stop * scale]  # (batch, frames, features)
        frames = self.frames(values[:, :, begin:stop], speaker, window)
        return first, frames[:, first - begin * scale : first - begin * scale + count]

    def nll(self, targets: Tensor, frames: Tensor, crop: tuple[int, int]) -> Tensor:
        """``-log p`` of each sample of a crop given the true samples before it and the frames.

        Args:
            targets: ``(batch, time + 1)`` waveform, with the one sample before the first frame.
            frames: ``(batch, time / hop, channels)``.
            crop: first frame and number of frames.

        Returns:
            ``(batch, samples of the crop)`` float32, in nats. With several bands, those of each step in turn: a step
            has as many classes as it stands for samples, so that their mean is also of nats per sample.
        """
        first, count = crop
        previous, current = self.decoder_classes(targets, first, count)
        return _nll(self.decoder(previous, frames[:, first : first + count], current), current)

    def conditioned_nll(self, targets: Tensor, conditioning: Tensor) -> Tensor:
        """``-log p`` of each sample given the true samples before it and the layers' conditioning.

        Args:
            targets: ``(batch, frames x hop + 1)`` waveform, with the one sample before the first frame.
            conditioning: ``(batch, frames, layers, 2 gate)``, of a ``Voice``.

        Returns:
            ``(batch, frames x hop)`` float32, in nats; as for ``nll``.
        """
        previous, current = self.decoder_classes(targets, 0, conditioning.shape[1])
        return _nll(self.decoder.logits(previous, conditioning, current), current)

    def decoder_classes(self, targets: Tensor, first: int, count: int) -> tuple[Tensor, Tensor]:
        """Of ``count`` frames from ``first`` on, the classes before each step of the decoder and those of each step.

        Args:
            targets: ``(batch, time + 1)`` waveform, with the one sample before the first frame.
            first: frame.
            count: frames.

        Returns:
            Two tensors ``(batch, count x hop)`` int64, or ``(batch, count x hop / bands, bands)``.
        """
        hop = self.config.conditioner.hop // self.config.decoder.bands
        classes = self.companding.classes(targets[:, 1:], targets[:, :1])
        # The class before the first is not known to pre-emphasis; it is taken as silence, as at the start of speech.
        before = torch.full_like(classes[:, :1], self.companding.silence)  # (batch, 1) or (batch, 1, bands)
        span = slice(first * hop, (first + count) * hop)
        return torch.cat([before, classes[:, :-1]], 1)[:, span], classes[:, span]


def _nll(logits: Tensor, target: Tensor) -> Tensor:
    nll = F.cross_entropy(logits.float().flatten(0, -2), target.flatten(), reduction="none")
    return nll.view(len(target), -1)
