"""The best evaluation of a run, whose weights ``checkpoints/best`` holds: its step and its measures."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Generic, TypeVar, cast

from vqspeech.training.task import Metrics, MetricsT

AnyMetricsT = TypeVar("AnyMetricsT", bound=Metrics)


@dataclass(frozen=True)
class Best(Generic[MetricsT]):
    """The best evaluation so far.

    Attributes:
        score: the number that decides; infinite before the first model is kept.
        step: steps taken before it; None if no model is kept yet, and in a checkpoint from before steps were noted.
        measures: all that was measured; None if no model is kept yet, and in a checkpoint from before it was noted.
    """

    score: float = math.inf
    step: int | None = None
    measures: MetricsT | None = None

    def summary(self, say: Callable[[MetricsT], str]) -> str:
        """Sum up the kept model: its measures as ``say`` words them, or what an old checkpoint knows, and its step."""
        if math.isinf(self.score):
            return "no model was kept"
        known = f"score {self.score:.3f}" if self.measures is None else say(self.measures)
        return f"{known} (step {'unknown' if self.step is None else self.step})"


def numbers_of(measures: Any) -> dict[str, float]:
    """The measures as a checkpoint holds them: without those that are NaN, since NaN differs from itself."""
    return {name: value for name, value in asdict(measures).items() if not math.isnan(value)}


def measures_of(numbers: dict[str, float], like: AnyMetricsT) -> AnyMetricsT:
    """Measures from what a checkpoint holds, of the class of ``like``; what it does not hold is NaN."""
    names = [field.name for field in fields(cast(Any, like))]
    return cast(AnyMetricsT, replace(cast(Any, like), **{name: numbers.get(name, math.nan) for name in names}))


def checked_numbers(found: object) -> dict[str, float]:
    """What a checkpoint holds as measures; raises TypeError if it is anything else."""
    if not isinstance(found, dict) or not all(
        isinstance(name, str) and isinstance(value, int | float) for name, value in found.items()
    ):
        raise TypeError("its measures are no numbers")
    return found
