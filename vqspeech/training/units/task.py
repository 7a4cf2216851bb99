"""Training task of a unit model: masked prediction, its optimisers, and metrics on held-out speech."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from vqspeech.model.checkpoint import load_model, save_model
from vqspeech.model.residual import ModulatedBlock
from vqspeech.training.augmentation import SpectralAugmentation
from vqspeech.training.muon import Muon
from vqspeech.training.pack import Pack
from vqspeech.training.units.codebook import VECTORS, place_codebook
from vqspeech.training.units.config import UnitsPreset, UnitsTraining
from vqspeech.training.units.dataset import TargetSegments, UnitsBatch
from vqspeech.training.units.masking import draw_mask
from vqspeech.training.units.network import MaskedPredictor
from vqspeech.training.units.trained_layers import TrainedLayers, save_predictor

#: Held-out batches evaluated each time.
HELD_OUT_BATCHES = 4
#: Vectors that the codebook is placed on meanwhile.
QUICK_VECTORS = 20_000


@dataclass(frozen=True)
class HeldOut:
    """Metrics on held-out speech, in evaluation mode, without augmentation.

    Attributes:
        masked: cross-entropy where the input is masked, in nats.
        unmasked: the same where it is not.
        accuracy: share of the masked positions whose cluster is the most likely one.
    """

    masked: float
    unmasked: float
    accuracy: float

    @property
    def score(self) -> float:
        """What decides which model is the best."""
        return self.masked


class UnitsTask:
    """Train a unit model: its loss, its optimisers, its measures.

    Args:
        preset: model and training.
        train: speech to learn from.
        dev: speech to evaluate on.
        targets: of both, ``(positions,)`` each, see ``vqspeech.training.units.targets``.
        clusters: how many there are to tell apart; as many as the preset has where that is None.
        initialise_from: layers of an earlier run, of the same bands, with which this one begins; of fewer channels they
            are widened.
        rank: of this process.

    Raises:
        InputError: the encoder to begin with has other sizes.
    """

    unit = "samples"
    #: A unit model has no voices.
    speakers: tuple[str, ...] = ()

    def __init__(
        self,
        preset: UnitsPreset,
        train: Pack,
        dev: Pack,
        *,
        targets: tuple[NDArray[np.int16], NDArray[np.int16]],
        clusters: int | None = None,
        initialise_from: TrainedLayers | None = None,
        rank: int = 0,
    ) -> None:
        self.preset = preset
        self.pack = train
        training, audio = preset.training, preset.model.audio
        torch.manual_seed(training.seed)
        self.model = MaskedPredictor(preset, training.targets.clusters if clusters is None else clusters)
        #: Parameters that are held for the first steps.
        self.begun = () if initialise_from is None else initialise_from.copy_to(self.model, training.seed)
        train_targets, dev_targets = targets
        self.augmentation = SpectralAugmentation(
            warp=training.warp, channel=training.channel, frame_rate=audio.sample_rate / preset.model.encoder.mel_hop
        )
        self.train = self._segments(train, train_targets, loudness=training.loudness, rank=rank)
        self.dev = self._segments(dev, dev_targets, loudness=0.0, rank=0)

    def _segments(self, pack: Pack, targets: NDArray[np.int16], *, loudness: float, rank: int) -> TargetSegments:
        training = self.preset.training
        return TargetSegments(
            pack,
            targets,
            hop=self.preset.model.code_hop,
            batch=training.batch,
            segment=training.segment,
            speaker_balance=training.speaker_balance,
            loudness=loudness,
            seed=training.seed,
            rank=rank,
        )

    @property
    def config(self) -> UnitsTraining:
        """How it is trained."""
        return self.preset.training

    def compile(self) -> None:
        """Nothing is compiled."""

    def ema_active(self, _step: int) -> bool:
        """From the first step on."""
        return True

    def units(self, _step: int) -> int:
        """Samples per segment that the loss is of."""
        return self.config.segment

    def optimizers(self) -> list[Optimizer]:
        """Muon on the matrices of blocks and convolutions, Adam on all else that learns."""
        rates = self.config.optimizer
        model = self.model
        encoder = model.model.encoder
        # Placed in the end by principal components and k-means, or not used at all.
        idle = {id(p) for p in model.model.parameters()} - {id(p) for p in encoder.parameters()}
        idle |= {id(p) for p in encoder.projection.parameters()}
        kernels = [m.weight for m in encoder.strided.modules() if isinstance(m, nn.Conv1d)]
        blocks = [m for m in model.modules() if isinstance(m, ModulatedBlock) and id(m.out.weight) not in idle]
        kernels += [layer.weight for block in blocks for layer in (block.dilated, block.out)]
        taken = {id(p) for p in kernels} if rates.muon else set()
        rest = [p for p in model.parameters() if id(p) not in taken | idle]
        optimizers: list[Optimizer] = [Adam(rest, lr=rates.adam, betas=(0.9, 0.98))]
        if rates.muon:
            dtype = torch.bfloat16 if self.config.precision == "bf16" else torch.float32
            optimizers.append(Muon([{"params": kernels, "lr": rates.muon}], lr=1.0, dtype=dtype))
        return optimizers

    def prepare(self, step: int, _device: torch.device) -> None:
        """Hold what the run began with, or let it learn."""
        for parameter in self.begun:
            parameter.requires_grad_(step >= self.config.hold)

    def loss(self, module: nn.Module, batch: UnitsBatch, _step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of a batch, and its terms by name."""
        training = self.config
        alter = self.augmentation if training.warp or training.channel else None
        masked, unmasked = module(batch.waveform, batch.targets, self._mask(batch), alter)
        loss = masked + training.unmasked_weight * unmasked
        return loss, {"masked": masked.detach(), "unmasked": unmasked.detach()}

    def _mask(self, batch: UnitsBatch) -> Tensor:
        rows, positions = batch.targets.shape
        training = self.config
        return draw_mask(
            rows, positions, share=training.mask_share, span=training.mask_span, device=batch.targets.device
        )

    def progress_metrics(self) -> dict[str, float]:
        """None."""
        return {}

    @torch.no_grad()
    def evaluate(self, model: MaskedPredictor) -> HeldOut:
        """Measure ``model`` on the same held-out segments and masks each time. Leaves every random state as it was."""
        device = model.token.device
        training = model.training
        model.eval()
        masked, unmasked, right, count = [], [], 0, 0
        devices = [device] if device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(self.config.seed)
            for number in range(HELD_OUT_BATCHES):
                batch = self.dev(number).to(device)
                mask, targets = self._mask(batch), batch.targets
                first, second = model(batch.waveform, targets, mask)
                masked.append(float(first))
                unmasked.append(float(second))
                guessed = model.logits(batch.waveform, mask).argmax(2)  # (batch, positions)
                asked = mask & (targets >= 0)
                right += int((guessed == targets)[asked].sum())
                count += int(asked.sum())
        model.train(training)
        return HeldOut(float(np.mean(masked)), float(np.mean(unmasked)), right / max(1, count))

    def early_stop(self, _measures: Any, _step: int, _out: Path) -> None:
        """Nothing is a failure."""

    def save_best(self, model: MaskedPredictor, folder: Path) -> None:
        """Write a model directory with a codebook placed on some vectors, the predictor beside it. ``model`` stays."""
        save_predictor(model, folder)
        kept = copy.deepcopy(model.model).cpu().eval()
        place_codebook(kept, self.pack, vectors=QUICK_VECTORS, seed=self.config.seed, iterations=10)
        save_model(kept, folder)

    def finalise(self, folder: Path) -> None:
        """Place the codebook of the best model anew, on more vectors."""
        model = load_model(folder)
        place_codebook(model, self.pack, vectors=VECTORS, seed=self.config.seed)
        save_model(model, folder)

    def state(self) -> dict[str, Any]:
        """Nothing more."""
        return {}

    def restore(self, _state: dict[str, Any]) -> None:
        """Nothing more."""
