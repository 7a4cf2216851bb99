"""The interface between the training loop and a task: all that differs between a VQ-VAE and a prior."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from vqspeech.training.preset_file import PresetFile

NetworkT = TypeVar("NetworkT", bound=nn.Module)
MetricsT = TypeVar("MetricsT", bound="Metrics", covariant=True)


class LRSchedule(Protocol):
    """Schedule of the learning rates and gradient clipping; see ``OptimizerConfig``."""

    @property
    def warm_up(self) -> int:
        """Steps over which all rates rise from 0."""

    @property
    def decay_from(self) -> float:
        """Share of the steps after which they fall."""

    @property
    def clip(self) -> float:
        """Largest norm of the gradient."""


class RunConfig(Protocol):
    """Those numbers of a training config that the loop itself needs; see ``TrainingConfig``."""

    @property
    def steps(self) -> int:
        """How many in all."""

    @property
    def batch(self) -> int:
        """Segments per step and device."""

    @property
    def average(self) -> float:
        """Decay of the moving average of the weights."""

    @property
    def precision(self) -> str:
        """Of the matrix products."""

    @property
    def compile(self) -> bool:
        """Whether to compile."""

    @property
    def seed(self) -> int:
        """Of everything random."""

    @property
    def optimizer(self) -> LRSchedule:
        """Learning rates."""


class Batch(Protocol):
    """The data of one step."""

    def to(self, device: torch.device) -> Any:
        """The same batch on ``device``."""


class Metrics(Protocol):
    """Results of an evaluation: a dataclass of numbers."""

    @property
    def score(self) -> float:
        """The number to minimise."""


class TrainingTask(Protocol[NetworkT, MetricsT]):
    """A model, its data, its loss and its metrics.

    Everything random that a task draws is a function of seed, step and rank, or of torch's own generator, which the
    loop seeds before each step.
    """

    #: Unit of the logged speed, such as samples.
    unit: str

    @property
    def preset(self) -> PresetFile:
        """Every number of the run, kept beside it as ``config.yaml``."""

    @property
    def config(self) -> RunConfig:
        """That part of it which the loop needs."""

    @property
    def model(self) -> NetworkT:
        """What is trained."""

    @property
    def speakers(self) -> tuple[str, ...]:
        """The speakers of the model; a run can only be resumed with the same ones."""

    @property
    def train(self) -> Callable[[int], Batch]:
        """The batch of a step."""

    def optimizers(self) -> list[Optimizer]:
        """Optimisers, which together have every parameter once."""

    def compile(self) -> None:
        """Compile what is worth it."""

    def prepare(self, step: int, device: torch.device, /) -> None:
        """Called before each step, for example to initialise the codebook."""

    def loss(self, module: nn.Module, batch: Any, step: int, /) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of a batch, and its terms by name for the log; ``module`` is the model, wrapped for distribution."""

    def ema_active(self, step: int, /) -> bool:
        """Whether the moving average of the weights is updated after this step."""

    def units(self, step: int, /) -> int:
        """Number of ``unit`` per segment in this step."""

    def progress_metrics(self) -> dict[str, float]:
        """Further numbers for the line of progress."""

    def evaluate(self, model: NetworkT, /) -> MetricsT:
        """Measure a model on held-out data. Leaves every random state as it was."""

    def early_stop(self, measures: Any, step: int, out: Path, /) -> None:
        """Stop the run if an evaluation shows that it has failed; raises InputError."""

    def save_best(self, model: NetworkT, folder: Path, /) -> None:
        """Write the best model so far to ``folder``."""

    def finalise(self, folder: Path, /) -> None:
        """Complete the best model at the end of the run."""

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds besides weights and optimisers."""

    def restore(self, state: dict[str, Any], /) -> None:
        """Take ``state`` back from a checkpoint; raises LookupError, TypeError, ValueError or RuntimeError."""
