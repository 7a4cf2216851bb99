"""What the training loop asks of a task: all that differs between training a VQ-VAE and training a prior."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from vqspeech.training.preset_file import PresetFile

Network = TypeVar("Network", bound=nn.Module)
Found = TypeVar("Found", bound="Measures", covariant=True)


class Rates(Protocol):
    """How learning rates go over a run, and the largest norm of the gradient; see ``OptimizerConfig``."""

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
        """Segments a step, on each device."""

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
    def optimizer(self) -> Rates:
        """Learning rates."""


class Batch(Protocol):
    """What one step sees."""

    def to(self, device: torch.device) -> Any:
        """The same batch on ``device``."""


class Measures(Protocol):
    """What an evaluation found: a dataclass of numbers."""

    @property
    def score(self) -> float:
        """The number that the best model has least of."""


class Task(Protocol[Network, Found]):
    """A model, its data, its loss and its measures.

    Everything random that a task draws is a function of seed, step and rank, or of torch's own generator, which the
    loop seeds before each step.
    """

    #: What the loop counts in one segment, for the speed it tells.
    unit: str

    @property
    def preset(self) -> PresetFile:
        """Every number of the run, kept beside it as ``config.yaml``."""

    @property
    def config(self) -> RunConfig:
        """That part of it which the loop needs."""

    @property
    def model(self) -> Network:
        """What is trained."""

    @property
    def speakers(self) -> tuple[str, ...]:
        """Whom the model knows; a run goes on with the same ones only."""

    @property
    def train(self) -> Callable[[int], Batch]:
        """The batch of a step."""

    def optimizers(self) -> list[Optimizer]:
        """Optimisers that share out all parameters."""

    def compile(self) -> None:
        """Compile what is worth it."""

    def prepare(self, step: int, device: torch.device, /) -> None:
        """Do what must be done before a step."""

    def loss(self, module: nn.Module, batch: Any, step: int, /) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a step and its terms by name, for the log; ``module`` is the model as wrapped for the run."""

    def averages(self, step: int, /) -> bool:
        """Whether the weights after this step enter their average."""

    def units(self, step: int, /) -> int:
        """How many of ``unit`` a segment of this step has."""

    def telling(self) -> dict[str, float]:
        """Other numbers for the line of progress."""

    def evaluate(self, model: Network, /) -> Found:
        """Measure a model on held-out data. Leaves every random state as it was."""

    def watch(self, measures: Any, step: int, out: Path, /) -> None:
        """Look at what was measured before a step; raises InputError where there is no point in going on."""

    def keep(self, model: Network, folder: Path, /) -> None:
        """Write the best model so far."""

    def finish(self, folder: Path, /) -> None:
        """Do to the best model, when the run is at its end, what was not worth doing to all before it."""

    def state(self) -> dict[str, Any]:
        """What a checkpoint must hold besides weights and optimisers."""

    def restore(self, state: dict[str, Any], /) -> None:
        """Take ``state`` back from a checkpoint; raises LookupError, TypeError, ValueError or RuntimeError."""
