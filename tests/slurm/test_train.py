"""``train`` as jobs of a real Slurm: signalled or requeued in the middle, they end with what an undisturbed job has."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from equal_states import assert_same
from one_node import Slurm, one_node
from small_training import CHANGES, write_data

from vqspeech.cli.main import main

#: Seconds that anything may take on a busy machine.
PATIENCE = 300.0
#: So many that a job is still at work when it is signalled.
STEPS = 400


@pytest.fixture(scope="module")
def slurm() -> Iterator[Slurm]:
    """A Slurm of one node."""
    if not os.environ.get("VQSPEECH_NIGHTLY"):
        pytest.skip("takes minutes: tests/nightly.sh runs it")
    with one_node() as running:
        yield running


@pytest.fixture(scope="module")
def packs(slurm: Slurm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Something to train on, packed: a signal while a job packs is no part of this."""
    folder = tmp_path_factory.mktemp("corpus")
    data = write_data(folder / "in")
    assert main(["pack", str(data), str(folder / "some.pack"), "--sample-rate", "8000", "--jobs", "1"]) == 0
    return folder


class Job:
    """A job of the guide's line, ``sbatch --requeue --open-mode append --wrap "srun vqspeech train ..."``.

    Args:
        slurm: where.
        packs: what it trains on.
        tasks: processes that train together.
        exp: its experiment.
    """

    def __init__(self, slurm: Slurm, packs: Path, tasks: int, exp: Path) -> None:
        self.slurm, self.exp, self.log = slurm, exp, exp.with_suffix(".log")
        data = str(packs / "some.pack")
        train = [str(Path(sys.executable).parent / "vqspeech"), "train", "tiny", "--data", data, "--dev", data]
        train += ["--out", str(exp), "--device", "cpu", "--threads", "1", *CHANGES, f"training.steps={STEPS}"]
        command = ["sbatch", "--parsable", "--nodes=1", f"--ntasks={tasks}", "--requeue", "--open-mode=append"]
        command += [f"--output={self.log}", "--wrap", f"srun {' '.join(train)}"]
        environment = {**os.environ, **slurm.environment, "OMP_NUM_THREADS": "1"}
        made = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        self.number = made.stdout.strip()

    def text(self) -> str:
        """What it has written."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def state(self) -> str:
        """What Slurm says of it: ``COMPLETED`` in the end."""
        found = re.search(r"JobState=(\w+)", self.slurm.said("scontrol", "show", "job", self.number))
        return found[1] if found else ""

    def until(self, true: Callable[[], object]) -> None:
        """Wait, and let it begin again at once when it is requeued."""
        deadline = time.monotonic() + PATIENCE
        while not true():
            assert time.monotonic() < deadline, f"{self.state()}: {self.text()}"
            assert self.state() not in ("FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL"), f"{self.state()}: {self.text()}"
            self.slurm.start_those_that_wait()
            time.sleep(0.5)

    def result(self) -> dict[str, Any]:
        """What it ends with: weights, moving averages, the optimisers' state, and the model that it keeps."""
        self.until(lambda: self.state() == "COMPLETED")
        state = torch.load(self.exp / "checkpoints" / "last.pt", weights_only=True)
        assert state.pop("step") == STEPS, self.text()
        state.pop("seconds")
        return state | {"best": (self.exp / "checkpoints" / "best" / "model.safetensors").read_bytes()}


@pytest.fixture(scope="module", params=[1, 2], ids=["one task", "two tasks"])
def undisturbed(
    request: pytest.FixtureRequest, slurm: Slurm, packs: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[int, dict[str, Any]]:
    """The number of tasks, and what a job of so many ends with that nothing happens to."""
    return request.param, Job(slurm, packs, request.param, tmp_path_factory.mktemp("undisturbed") / "exp").result()


@pytest.mark.parametrize("command", [("scancel", "--signal", "USR1"), ("scontrol", "requeue")], ids=" ".join)
def test_a_job_that_is_requeued_ends_with_the_same(
    slurm: Slurm, packs: Path, undisturbed: tuple[int, dict[str, Any]], command: tuple[str, ...], tmp_path: Path
) -> None:
    tasks, expected = undisturbed
    job = Job(slurm, packs, tasks, tmp_path / "exp")
    job.until(lambda: re.search(r"step 0 of", job.text()))
    time.sleep(1)  # in the middle of its steps
    assert "error" not in slurm.said(*command, job.number)
    job.until(lambda: len(re.findall(r"step \d+ of", job.text())) > 1)
    (stopped,) = re.findall(r"stopped at step (\d+)", job.text())
    assert 0 < int(stopped) < STEPS
    assert f"step {stopped} of {STEPS}" in job.text()  # it goes on where the checkpoint is
    assert (f"job {job.number} requeued" in job.text()) == ("USR1" in command)
    found = job.result()
    assert found.keys() == expected.keys()
    for name in found:
        assert_same(found[name], expected[name], name)
