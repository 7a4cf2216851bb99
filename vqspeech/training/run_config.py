"""What every training run has in its preset, whatever it trains: length, learning rates, precision."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from vqspeech.model.config import Count, Fraction, Positive


class ScheduleConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Adam and the course of all learning rates.

    Attributes:
        adam: learning rate of Adam.
        warm_up: steps over which all rates rise from 0.
        decay_from: share of the steps after which all rates fall linearly to a hundredth.
        clip: largest norm of the gradient.
    """

    adam: Positive
    warm_up: Annotated[int, Meta(ge=0, le=1_000_000_000)]
    decay_from: Fraction
    clip: Positive


class RunConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A training run.

    Attributes:
        steps: how many in all.
        batch: examples per step, on each device.
        average: decay of the moving average of the weights that is evaluated and kept.
        precision: of the matrix products; ``fp16`` scales the loss, ``auto`` times steps and takes the fastest.
        compile: compile what takes longest with ``torch.compile``.
        seed: of everything random.
    """

    steps: Count
    batch: Count
    average: Annotated[float, Meta(ge=0, lt=1)]
    precision: Literal["auto", "fp32", "bf16", "fp16"]
    compile: bool
    seed: Annotated[int, Meta(ge=0, lt=2**32)]
