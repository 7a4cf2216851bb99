"""``training.precision: auto``: steps are timed, and a resumed run computes as it began."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_training import make_pack, make_preset

from vqspeech.devices import Devices
from vqspeech.training import precision
from vqspeech.training.config import Preset, read_preset
from vqspeech.training.trainer import Trainer
from vqspeech.training.vqvae_task import VQVAETask

TRAIN = make_pack()


def make(preset: Preset) -> VQVAETask:
    return VQVAETask(preset, TRAIN, TRAIN)


@pytest.mark.parametrize(
    ("seconds", "chosen"),
    [
        ({"fp32": 2.0, "bf16": 1.0}, "bf16"),
        ({"fp32": 1.0, "bf16": 2.0}, "fp32"),
        ({"fp32": 1.0, "bf16": 0.97}, "fp32"),  # three hundredths are not worth the bits
        ({"fp32": 3.0, "fp16": 1.0, "bf16": 0.99}, "fp16"),
        ({"fp32": 3.0, "fp16": 2.0, "bf16": 1.0}, "bf16"),
    ],
)
def test_the_fastest_is_chosen_and_of_equals_the_most_exact(seconds: dict[str, float], chosen: str) -> None:
    assert precision.choose(seconds) == chosen


def test_a_precision_that_is_named_is_taken_untimed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_step_seconds", None)  # would fail
    task, devices = precision.build(make_preset("training.precision=bf16"), make, tmp_path, Devices.find("cpu", "bf16"))
    assert task.preset.training.precision == "bf16"
    assert devices.dtype == torch.bfloat16


def test_auto_times_real_steps(tmp_path: Path) -> None:
    task, devices = precision.build(make_preset("training.precision=auto"), make, tmp_path, Devices.find("cpu", "auto"))
    chosen = task.preset.training.precision
    assert chosen in precision.candidates(torch.device("cpu"))
    assert devices.dtype == {"fp32": torch.float32, "bf16": torch.bfloat16}[chosen]
    # The steps that were timed have left no trace in the task that trains.
    fresh = make(make_preset(f"training.precision={chosen}")).model.state_dict()
    for name, tensor in task.model.state_dict().items():
        assert torch.equal(tensor, fresh[name])


@pytest.mark.parametrize(("best", "steps"), [(float("inf"), 1 + precision.TIMED_STEPS), (1e-6, 1)])
def test_a_precision_that_is_emulated_is_given_up_after_a_step(best: float, steps: int) -> None:
    task, timed = make(make_preset("training.precision=fp32")), []

    def loss(*given: object) -> object:
        timed.append(1)
        return VQVAETask.loss(task, *given)  # type: ignore[arg-type]

    task.loss = loss  # type: ignore[assignment, method-assign]
    assert precision._step_seconds(task, Devices.find("cpu", "fp32"), best) > 0
    assert len(timed) == steps


@pytest.mark.parametrize("first", ["fp32", "bf16"])
def test_a_resumed_run_keeps_its_precision(first: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = {"fp32": "bf16", "bf16": "fp32"}[first]
    preset = make_preset("training.precision=auto")

    def start(fastest: str) -> Trainer[torch.nn.Module, object]:
        monkeypatch.setattr(
            precision, "_step_seconds", lambda task, *_: 1.0 + (task.preset.training.precision != fastest)
        )
        task, devices = precision.build(preset, make, tmp_path, Devices.find("cpu", "auto"))
        return Trainer(task, tmp_path, devices)  # type: ignore[arg-type, return-value]

    start(first).run()
    assert read_preset(tmp_path / "config.yaml").training.precision == first
    resumed = start(other)  # on a machine where the other one is faster
    assert resumed.config.precision == first
    resumed.run()
