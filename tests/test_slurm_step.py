"""``vqspeech.slurm_step``: what srun says of a process, in torch's words."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vqspeech.errors import InputError
from vqspeech.slurm_step import describe_to_torch, first_host, requeue

STEP = {
    "SLURM_STEP_NUM_TASKS": "8",
    "SLURM_PROCID": "5",
    "SLURM_LOCALID": "1",
    "SLURM_JOB_ID": "4711",
    "SLURM_STEP_ID": "0",
    "SLURM_STEP_NODELIST": "gpu[03-04]",
}


def test_a_task_of_a_step() -> None:
    environment = dict(STEP)
    describe_to_torch(environment)
    added = {name: value for name, value in environment.items() if name not in STEP}
    port = added.pop("MASTER_PORT")
    assert added == {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "MASTER_ADDR": "gpu03"}
    assert 20_000 <= int(port) < 40_000
    other = {**STEP, "SLURM_STEP_ID": "1"}
    describe_to_torch(other)
    assert other["MASTER_PORT"] != port


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"SLURM_NTASKS": "8", "SLURM_PROCID": "0", "SLURM_JOB_ID": "1"},  # an sbatch script, without srun
        {**STEP, "SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"},
        {**STEP, "RANK": "0", "WORLD_SIZE": "2"},  # torchrun in a task
    ],
)
def test_others_are_left_alone(environment: dict[str, str]) -> None:
    before = dict(environment)
    describe_to_torch(environment)
    assert environment == before


def test_an_address_that_is_given_stays() -> None:
    environment = {**STEP, "MASTER_ADDR": "10.0.0.1", "MASTER_PORT": "1234"}
    describe_to_torch(environment)
    assert (environment["MASTER_ADDR"], environment["MASTER_PORT"]) == ("10.0.0.1", "1234")


@pytest.mark.parametrize("change", [{"SLURM_PROCID": "x"}, {"SLURM_JOB_ID": ""}, {"SLURM_STEP_NODELIST": "[1-2]"}])
def test_nonsense_is_one_line(change: dict[str, str]) -> None:
    with pytest.raises(InputError, match="SLURM_"):
        describe_to_torch({**STEP, **change})


@pytest.mark.parametrize(
    ("nodes", "first"),
    [
        ("login", "login"),
        ("gpu[003-005,9],login", "gpu003"),
        ("rack-1.gpu[7]", "rack-1.gpu7"),
        ("a,b[1-2]", "a"),
        ("n[01,05]-ib", "n01-ib"),
    ],
)
def test_the_first_node(nodes: str, first: str) -> None:
    assert first_host(nodes) == first


def test_requeueing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert requeue({}) == ""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "could not be requeued" in requeue({"SLURM_JOB_ID": "7"})
    command = tmp_path / "scontrol"
    command.write_text('#!/bin/sh\n[ "$*" = "requeue 7" ] || { echo "no such job" >&2; exit 1; }\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin:/usr/bin")
    assert requeue({"SLURM_JOB_ID": "7"}) == "job 7 requeued"
    assert requeue({"SLURM_JOB_ID": "8"}) == "job 8 could not be requeued: no such job"
