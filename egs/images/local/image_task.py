"""What one step of training a VQ-VAE of images is, for the package's own trainer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import torch.nn.functional as F
from msgspec import Meta
from networks import ImageModelConfig, ImageVQVAE, save_image_model
from numpy.typing import NDArray
from pictures import ImageSet
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from vqspeech.errors import InputError
from vqspeech.model.config import NonNegative
from vqspeech.model.quantizer import perplexity
from vqspeech.training.muon import Muon
from vqspeech.training.preset_file import PresetFile
from vqspeech.training.run_config import RunConfig, ScheduleConfig

#: Images that the codebook is placed on, and held-out ones that are evaluated each time, at most.
START_IMAGES, HELD_OUT_IMAGES = 512, 512


class ImageOptimizerConfig(ScheduleConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Adam and, where its rate is not 0, Muon for the kernels of hidden convolutions; besides, see ``ScheduleConfig``.

    Attributes:
        muon: learning rate of Muon; 0 leaves the kernels to Adam.
    """

    muon: NonNegative


class ImageTrainingConfig(RunConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A training run: what ``RunConfig`` has, its batch of images, and this.

    Attributes:
        quantize_from: step at which the codebook is placed on data by k-means; before, nothing is quantised.
        mirror: whether half of the images are mirrored left to right.
        optimizer: the optimiser.
    """

    quantize_from: Annotated[int, Meta(ge=0)]
    mirror: bool
    optimizer: ImageOptimizerConfig


class ImagePreset(PresetFile, frozen=True):
    """A preset file: a model and how it is trained."""

    model: ImageModelConfig
    training: ImageTrainingConfig

    def check(self, where: str) -> None:
        """Check what no single key can show; raises InputError naming the keys."""
        if self.training.quantize_from >= self.training.steps:
            raise InputError("training.quantize_from is not below training.steps", where=where, hint="lower it")


@dataclass(frozen=True)
class ImageBatch:
    """A batch.

    Attributes:
        images: ``(batch, rows, columns, channels)`` uint8.
    """

    images: Tensor

    def to(self, device: torch.device) -> ImageBatch:
        """Move the images to ``device``."""
        return ImageBatch(self.images.to(device))


@dataclass(frozen=True)
class HeldOutImages:
    """Measures on held-out images, in evaluation mode.

    Attributes:
        error: mean squared error over the variance of the training images.
        perplexity: in effect used codes.
        used: codes used at all.
    """

    error: float
    perplexity: float
    used: int

    @property
    def score(self) -> float:
        """The error decides which model is the best."""
        return self.error


class RandomImages:
    """The images of each step, a function of seed, rank and step alone."""

    def __init__(self, images: NDArray[np.uint8], config: ImageTrainingConfig, rank: int) -> None:
        self.images, self.config, self.rank = images, config, rank

    def __call__(self, step: int) -> ImageBatch:
        """The batch of a step."""
        rng = np.random.default_rng([self.config.seed, self.rank, step])
        chosen = self.images[rng.integers(len(self.images), size=self.config.batch)]
        if self.config.mirror:
            turned = rng.random(len(chosen)) < 0.5
            chosen[turned] = chosen[turned, :, ::-1]
        return ImageBatch(torch.from_numpy(chosen))


class ImageTask:
    """Train a VQ-VAE of images.

    Args:
        preset: model and training.
        images: to learn from, and to evaluate on.
        rank: of this process.

    Raises:
        InputError: the images cannot be divided into codes.
    """

    unit = "pixels"

    def __init__(self, preset: ImagePreset, images: ImageSet, rank: int = 0) -> None:
        self.preset = preset
        rows, columns, channels = images.shape
        if rows % preset.model.stride or columns % preset.model.stride:
            raise InputError(
                f"images of {rows} x {columns} for codes of {preset.model.stride} x {preset.model.stride} pixels",
                hint="change model.halvings, or the size of the images",
            )
        torch.manual_seed(preset.training.seed)
        self.model = ImageVQVAE(preset.model, channels, images.levels)
        train, dev = images.parts["train"].images, images.parts["dev"].images
        self.train = RandomImages(train, preset.training, rank)
        self.dev = torch.from_numpy(dev[np.linspace(0, len(dev) - 1, min(len(dev), HELD_OUT_IMAGES)).astype(int)])
        self.pixels = rows * columns
        self.variance = (
            float(train[:: 1 + len(train) // 5000].astype(np.float64).var()) * (2 / (images.levels - 1)) ** 2
        )
        self.usage = torch.zeros(preset.model.quantizer.codes)

    @property
    def config(self) -> ImageTrainingConfig:
        """How it is trained."""
        return self.preset.training

    @property
    def speakers(self) -> tuple[str, ...]:
        """There are no speakers."""
        return ()

    def optimizers(self) -> list[Optimizer]:
        """Muon on kernels between hidden layers if it is given a rate, Adam on all else."""
        rates = self.config.optimizer
        kernels = self.model.hidden_kernels() if rates.muon else []
        taken = {id(kernel) for kernel in kernels}
        rest = [p for p in self.model.parameters() if p.requires_grad and id(p) not in taken]
        optimizers: list[Optimizer] = [Adam(rest, lr=rates.adam, betas=(0.9, 0.99))]
        if kernels:
            optimizers.append(Muon(kernels, lr=rates.muon))
        return optimizers

    def compile(self) -> None:
        """Compile encoder and decoder."""
        self.model.encoder.compile()
        self.model.decoder.compile()

    @torch.no_grad()
    def prepare(self, step: int, device: torch.device) -> None:
        """Place the codebook when its step has come."""
        if step < self.config.quantize_from or self.model.quantizer.started:
            return
        batches = range(step, step + -(-START_IMAGES // self.config.batch))
        images = torch.cat([self.train(number).images for number in batches]).to(device)
        z = self.model.encoder(self.model.scaled(images))  # (n, dimension, rows / s, columns / s)
        # Equal vectors, those of an empty background, count once: most codes would begin there.
        self.model.quantizer.start(z.movedim(1, -1).flatten(0, -2).unique(dim=0))

    def loss(self, module: nn.Module, batch: ImageBatch, _step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """The paper's objective with a Gaussian of the training images' variance as likelihood."""
        means, quantized = module(batch.images)
        error = F.mse_loss(means.float(), self.model.scaled(batch.images)) / self.variance
        commitment = self.preset.model.quantizer.commitment
        loss = error + quantized.codebook_loss + commitment * quantized.commitment_loss
        counts = torch.bincount(quantized.codes.flatten(), minlength=len(self.usage)).cpu()
        self.usage = 0.95 * self.usage + counts
        return loss, {"error": error.detach(), "commitment": quantized.commitment_loss.detach()}

    def ema_active(self, step: int) -> bool:
        """What the weights were before anything was quantised is not averaged."""
        return step >= self.config.quantize_from

    def units(self, _step: int) -> int:
        """Pixels of an image."""
        return self.pixels

    def progress_metrics(self) -> dict[str, float]:
        """Perplexity of the last batches' codes."""
        return {"perplexity": perplexity(self.usage)}

    @torch.no_grad()
    def evaluate(self, model: ImageVQVAE) -> HeldOutImages:
        """Measure ``model`` on held-out images."""
        training = model.training
        model.eval()
        device = model.quantizer.codebook.device
        squared, counts = 0.0, torch.zeros(len(self.usage))
        for piece in self.dev.split(64):
            means, quantized = model(piece.to(device))
            squared += float(F.mse_loss(means.float(), model.scaled(piece.to(device)), reduction="sum"))
            counts += torch.bincount(quantized.codes.flatten(), minlength=len(counts)).cpu()
        model.train(training)
        return HeldOutImages(squared / self.dev.numel() / self.variance, perplexity(counts), int((counts > 0).sum()))

    def early_stop(self, measures: HeldOutImages, step: int, out: Path) -> None:
        """Go on whatever was found: the decoder has nothing but the codes, so that it cannot ignore them."""

    def save_best(self, model: ImageVQVAE, folder: Path) -> None:
        """Write a model's folder."""
        save_image_model(model, folder)

    def finalise(self, folder: Path) -> None:
        """Leave the best model as it was written."""

    def state(self) -> dict[str, Any]:
        """Nothing besides weights and optimisers matters later."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Nothing is to be restored."""
