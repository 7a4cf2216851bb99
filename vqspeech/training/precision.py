"""The precision of a run's matrix products, chosen by timing steps on the machine at hand.

Which one is the fastest depends on the processor: bf16 is much faster than fp32 on some, slower where emulated.
The choice is written into the run's ``config.yaml``, so that a resumed run computes as it began.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import torch
import torch.distributed as dist

from vqspeech.devices import Devices
from vqspeech.training.preset_file import PresetFile, read_preset_file
from vqspeech.training.task import TrainingTask

TaskT = TypeVar("TaskT", bound=TrainingTask[Any, Any])
PresetT = TypeVar("PresetT", bound=PresetFile)

#: Steps that are timed in each precision, after one that warms up.
TIMED_STEPS = 2
#: A less exact precision must be so many times as fast as the next more exact one.
WORTH = 1.05
#: A precision whose first step takes so many times the best of another is not timed any further: a processor that
#: emulates it may take a minute for a step. First steps take longer than the rest anyway.
HOPELESS = 4.0


def build(preset: PresetT, make: Callable[[PresetT], TaskT], out: Path, devices: Devices) -> tuple[TaskT, Devices]:
    """Make the task of a run, in the precision that its preset names or, for ``auto``, in the fastest one.

    Args:
        preset: of the run.
        make: makes the task of a preset.
        out: the run's folder; a run that was begun there goes on in its precision.
        devices: where it runs.

    Returns:
        The task, and the devices in its precision.
    """
    precision = _named(preset)
    if precision == "auto":
        begun = out / "config.yaml"
        precision = _named(read_preset_file(begun, type(preset))) if begun.exists() else _fastest(preset, make, devices)
    return make(in_precision(preset, precision)), devices.in_precision(precision)


def _named(preset: PresetFile) -> str:
    training: Any = preset.training  # type: ignore[attr-defined]
    precision: str = training.precision
    return precision


def in_precision(preset: PresetT, precision: str) -> PresetT:
    """Change the precision of a preset."""
    training = msgspec.structs.replace(preset.training, precision=precision)  # type: ignore[attr-defined]
    return msgspec.structs.replace(preset, training=training)


def candidates(device: torch.device) -> list[str]:
    """Precisions that can be the fastest on a device, the most exact first; fp16 on GPUs alone."""
    if device.type == "cpu":
        return ["fp32", "bf16"]
    return ["fp32", "fp16"] + (["bf16"] if torch.cuda.is_bf16_supported(including_emulation=False) else [])


def choose(seconds: dict[str, float]) -> str:
    """Choose among timed precisions, the most exact first: the fastest, unless it gains less than ``WORTH``."""
    chosen, least = next(iter(seconds.items()))
    for name, taken in seconds.items():
        if taken * WORTH < least:
            chosen, least = name, taken
    return chosen


def _fastest(preset: PresetT, make: Callable[[PresetT], TaskT], devices: Devices) -> str:
    """All processes take the choice of the first."""
    seconds: dict[str, float] = {}
    for name in candidates(devices.device):
        task = make(in_precision(preset, name))
        seconds[name] = _step_seconds(task, devices.in_precision(name), min(seconds.values(), default=float("inf")))
    chosen = [choose(seconds)]
    if devices.world > 1:
        dist.broadcast_object_list(chosen, src=0)
    return chosen[0]


def _step_seconds(task: TrainingTask[Any, Any], devices: Devices, best: float) -> float:
    """Time the steps of a task's last phase, which is the longest. Trains the task, so it must be thrown away.

    Args:
        task: in the precision.
        devices: in the precision.
        best: seconds of the fastest precision so far.
    """
    model = task.model.to(devices.device)
    optimizers = task.optimizers()
    step = task.config.steps - 1
    batch = task.train(step).to(devices.device)
    least = float("inf")
    for _ in range(1 + TIMED_STEPS):
        began = time.perf_counter()
        with devices.autocast():
            loss, _terms = task.loss(model, batch, step)
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        if devices.device.type == "cuda":
            torch.cuda.synchronize(devices.device)
        least = min(least, time.perf_counter() - began)
        if least > HOPELESS * best:
            break
    return least
