"""Training task of the VQ-VAE: loss, phases, calibration, and when a run is given up."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

from vqspeech.errors import InputError
from vqspeech.model.calibration import measure_activation_peaks
from vqspeech.model.checkpoint import load_model, save_model
from vqspeech.model.quantizer import perplexity
from vqspeech.model.vqvae import VQVAE
from vqspeech.training import warm_start
from vqspeech.training.augmentation import SpectralAugmentation
from vqspeech.training.code_track import CodeTrack
from vqspeech.training.config import Preset, TrainingConfig
from vqspeech.training.dataset import Batch, PitchTrack, Segments, held_out
from vqspeech.training.feature_targets import FeatureTargets
from vqspeech.training.pack import Pack
from vqspeech.training.speaker_stats import compute_speaker_stats
from vqspeech.training.vqvae_metrics import HeldOut, auxiliary_target, measure
from vqspeech.training.vqvae_optimizers import make_optimizers

#: Held-out segments evaluated each time.
HELD_OUT_SEGMENTS = 40
#: Batches that the codebook is placed on, at least, and vectors per code of it.
START_BATCHES, START_VECTORS = 8, 32
#: Batches that the decoder's activations are measured on.
CALIBRATION_BATCHES = 4
#: Evaluations with too small a code gap before the run is given up, and the steps of grace after the decoder joined.
PATIENCE, GRACE = 3, 1000


class CodesIgnoredError(InputError):
    """Posterior collapse: the decoder ignores the codes."""


class VQVAETask:
    """Train a VQ-VAE: its loss, its optimisers, its phases, its measures.

    The phases: at first the auxiliary mel head alone teaches the encoder; at ``quantize_from`` the codebook is placed
    on what the encoder has learnt; at ``decode_from`` the WaveNet joins. Both at 0 is the paper's recipe.

    Args:
        preset: model and training.
        train: speech to learn from.
        dev: speech to evaluate on.
        rank: of this process.
        initialise_from: a trained model whose weights the run begins with.
        codes: of both parts, by another system, for a model without an encoder: utterance id -> ``(codes,)``.
        features: what the head of another model's features learns, for a preset that has one.
    """

    unit = "samples"

    def __init__(
        self,
        preset: Preset,
        train: Pack,
        dev: Pack,
        rank: int = 0,
        initialise_from: Path | None = None,
        codes: Mapping[str, NDArray[np.integer]] | None = None,
        features: FeatureTargets | None = None,
    ) -> None:
        self.preset = preset
        self.features = features
        if preset.training.features is not None and features is None:
            raise InputError(
                "the preset learns another model's features", hint="give the file of its weights, --features"
            )
        if features is not None and preset.model.conditioner.features != features.dimension:
            raise InputError(
                f"model.conditioner.features is {preset.model.conditioner.features}, the model's features have "
                f"{features.dimension} values",
                hint=f"set model.conditioner.features={features.dimension}",
            )
        training, model = preset.training, preset.model
        self.usage = torch.zeros(model.quantizer.codes)
        self.suspicions = 0
        torch.manual_seed(training.seed)
        self.model = VQVAE(model, train.speakers)
        if initialise_from:
            trained, where = load_model(initialise_from), str(initialise_from)
            if model.encoder.external:
                warm_start.initialise_decoder(self.model, trained, where=where)
            else:
                warm_start.initialise_from(self.model, trained, where=where, new_codebook=not training.keep_codes)
        if training.keep_codes:
            self.model.keep_codes()
        self.pack = train
        hop = model.conditioner.hop
        with_pitch = model.conditioner.pitch
        self.augmentation = SpectralAugmentation(
            warp=training.warp, channel=training.channel, frame_rate=model.audio.sample_rate / model.encoder.mel_hop
        )
        self.crop_frames = training.crop // hop
        self.train = Segments(
            train,
            batch=training.batch,
            segment=training.segment,
            crops=(training.segment - training.crop) // hop + 1,
            speaker_balance=training.speaker_balance,
            perturb_probability=training.perturb_probability,
            loudness=training.loudness,
            seed=training.seed,
            rank=rank,
            pitch=PitchTrack(train, hop) if with_pitch else None,
            pitch_dropout=training.pitch_dropout,
            codes=self._track(train, codes),
        )
        if not set(dev.speakers) & set(train.speakers):
            raise InputError(
                "no speaker of the dev part is in the training part",
                hint="split by utterance, so that speakers are shared",
            )
        self.dev = held_out(
            dev,
            segment=training.segment,
            count=HELD_OUT_SEGMENTS,
            speakers=train.speakers,
            pitch=PitchTrack(dev, hop) if with_pitch else None,
            codes=self._track(dev, codes),
        )

    def _track(self, pack: Pack, codes: Mapping[str, NDArray[np.integer]] | None) -> CodeTrack | None:
        encoder = self.preset.model.encoder
        if not encoder.external:
            return None
        if codes is None or encoder.source is None:
            raise InputError("the preset's codes come from another system, and none are given", hint="give --codes")
        source = encoder.source
        return CodeTrack(pack, codes, source, hop=self.preset.model.code_hop, where=source.model or "--codes")

    @property
    def config(self) -> TrainingConfig:
        """How it is trained."""
        return self.preset.training

    @property
    def speakers(self) -> tuple[str, ...]:
        """The voices it learns."""
        return self.model.speakers

    def compile(self) -> None:
        """Compile the decoder, where most of the time goes."""
        self.model.decoder.compile()

    def ema_active(self, step: int) -> bool:
        """From when the last phase has begun."""
        return self.decoding(step) or (not self.decodes and step >= self.config.quantize_from)

    def units(self, step: int) -> int:
        """Samples per segment that the loss is of."""
        return self.config.crop if self.decoding(step) else self.config.segment

    @property
    def decodes(self) -> bool:
        """Whether the decoder ever takes part."""
        return self.decoding(self.config.steps - 1)

    def decoding(self, step: int) -> bool:
        """Whether the decoder takes part in this step."""
        return step >= self.preset.training.decode_from

    def optimizers(self) -> list[Optimizer]:
        """Muon on the matrices it is given a rate for, Adam on all else."""
        return make_optimizers(self.model, self.preset.training)

    def mel(self, batch: Batch) -> Tensor | None:
        """Target of the auxiliary head, ``(batch, frames, values)``; None without one."""
        return auxiliary_target(batch.targets[:, 1:], self.preset.model)

    @torch.no_grad()
    def prepare(self, step: int, device: torch.device) -> None:
        """Initialise the codebook by k-means at ``quantize_from``."""
        self.usage = self.usage.to(device)
        quantizer = self.model.quantizer
        if self.preset.training.keep_codes and not quantizer.started:
            raise InputError(
                "training.keep_codes is true, but there are no codes to keep",
                hint="begin from a trained model (--from)",
            )
        if step < self.preset.training.quantize_from or quantizer.started:
            return
        training, codes = self.preset.training, self.preset.model.quantizer.codes
        codes_per_batch = training.batch * training.segment // self.preset.model.code_hop
        vectors = []
        for batch in self._extra_batches(max(START_BATCHES, -(-START_VECTORS * codes // codes_per_batch)), device):
            z = self.model.encoder(self.model.companding.preemphasise(batch.inputs))  # (batch, dimension, codes)
            vectors.append(z.transpose(1, 2).flatten(0, 1))  # (batch x codes, dimension)
        quantizer.start(torch.cat(vectors))

    @torch.no_grad()
    def calibrate(self, model: VQVAE) -> None:
        """Measure the range of the decoder's activations on training speech, for engines that compute in 8 bits."""
        segments = []
        training = model.training
        model.eval()
        for batch in self._extra_batches(CALIBRATION_BATCHES, next(model.parameters()).device):
            frames = model.frames(model.quantize(batch.inputs).values, batch.speaker, batch.pitch)
            previous, current = model.decoder_classes(batch.targets, 0, frames.shape[1])
            segments.append((previous, frames, current))
        measure_activation_peaks(model.decoder, segments)
        model.train(training)

    def _extra_batches(self, count: int, device: torch.device) -> Iterator[Batch]:
        """Batches that no step sees, alike on every rank: numbered from beyond the last step."""
        rank, self.train.rank = self.train.rank, 0
        try:
            for extra in range(count):
                yield self.train(self.preset.training.steps + extra).to(device)
        finally:
            self.train.rank = rank

    def loss(self, module: nn.Module, batch: Batch, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of a batch; also counts the codes used.

        Args:
            module: the model, as it was wrapped for this run.
            batch: on the model's device.
            step: its number.

        Returns:
            The loss, and its terms by name.
        """
        training = self.preset.training
        crop = (batch.first_frame, self.crop_frames) if self.decoding(step) else None
        alter = self.augmentation if training.warp or training.channel else None
        mel = self.mel(batch)
        features = None if self.features is None else self.features(batch.targets[:, 1:])
        losses, codes = module(batch.inputs, batch.targets, batch.speaker, mel, crop, batch.pitch, alter, features)
        loss = losses.total(
            commitment_weight=self.preset.model.quantizer.commitment,
            mel_weight=training.mel_weight,
            feature_weight=training.features.weight if training.features else 0.0,
        )
        terms = {"nll": losses.nll, "mel": losses.mel, "features": losses.features, "commitment": losses.commitment}
        if self.model.quantizer.started:
            self.usage.mul_(0.99).add_(torch.bincount(codes.flatten(), minlength=len(self.usage)))
        return loss, {name: term.detach() for name, term in terms.items() if term is not None}

    def progress_metrics(self) -> dict[str, float]:
        """Perplexity of the codes of recent steps."""
        return {"perplexity": perplexity(self.usage)} if self.model.quantizer.started else {}

    def early_stop(self, measures: HeldOut, step: int, out: Path) -> None:
        """Stop after ``PATIENCE`` evaluations with too small a code gap; raises CodesIgnoredError."""
        training = self.preset.training
        if not self.decodes or step <= max(training.decode_from, training.quantize_from) + GRACE:
            return
        self.suspicions = self.suspicions + 1 if measures.code_gap < training.least_code_gap else 0
        if self.suspicions >= PATIENCE:
            raise CodesIgnoredError(
                f"the decoder ignores the codes: they are worth {measures.code_gap:.3f} nats per sample",
                where=out,
                hint="let the mel head teach the encoder first (training.decode_from), "
                "or set training.least_code_gap lower to go on",
            )

    def save_best(self, model: VQVAE, folder: Path) -> None:
        """Write a model directory, calibrated for low-precision engines. ``model`` stays as it is."""
        model = copy.deepcopy(model)
        if self.decodes:
            model.decoder.centre_logits()
            self.calibrate(model)
        save_model(model, folder)

    def finalise(self, folder: Path) -> None:
        """Compute the speaker statistics, which takes longer than an evaluation may."""
        model = load_model(folder)
        compute_speaker_stats(model, self.pack)
        save_model(model, folder)

    def state(self) -> dict[str, Any]:
        """Usage of the codes, and evaluations in a row with too small a code gap."""
        return {"suspicions": self.suspicions, "usage": self.usage}

    def restore(self, state: dict[str, Any]) -> None:
        """Take ``state`` back."""
        self.suspicions = int(state["suspicions"])
        self.usage.copy_(state["usage"])

    def evaluate(self, model: VQVAE) -> HeldOut:
        """Measure ``model`` on the held-out segments. Leaves every random state as it was."""
        return measure(model, self.dev, crop=self.preset.training.crop, decodes=self.decodes)
