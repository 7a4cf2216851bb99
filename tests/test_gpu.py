"""On a machine with a GPU (``tools/test.sh --gpu``): the commands run there, and codes are those of the CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from small_training import make_pack, make_preset

import vqspeech
from vqspeech.devices import Devices
from vqspeech.training.trainer import Trainer
from vqspeech.training.vqvae_task import VQVAETask

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU that torch can use"),
]


@pytest.mark.parametrize("name", ["cuda", "auto", "cuda:0"])
def test_codes_are_those_of_the_cpu(name: str) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(32_000).astype(np.float32)
    here, there = vqspeech.load(), vqspeech.load(device=name)
    same = here.encode(noise) == there.encode(noise)
    assert same.mean() > 0.999  # sums of another order may part two codes that are equally near


def test_the_torch_engine_draws_there() -> None:
    model = vqspeech.load(device="cuda", engine="torch")
    assert len(model.decode([1, 2], model.speakers[0])) == 2 * model.network.config.code_hop


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_training_runs_and_resumes_there(tmp_path: Path, precision: str) -> None:
    train, dev = make_pack(), make_pack({"ann": [1500], "bob": [1200]})
    preset = make_preset(f"training.precision={precision}")
    for _ in range(2):  # the second finds the first's checkpoint
        trainer = Trainer(VQVAETask(preset, train, dev), tmp_path, Devices.find("auto", precision))
        trainer.run()
    assert trainer.step == preset.training.steps
    assert str(trainer.devices.device) == "cuda:0"
