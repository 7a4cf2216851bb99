"""Processes that ``srun`` starts, one a device: their places in words that torch.distributed takes, and requeueing."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, MutableMapping

from vqspeech.errors import InputError

#: Ports that jobs take one of, by the number of job and step, and how many.
_FIRST_PORT, _PORTS = 20_000, 20_000
#: Seconds that Slurm may take to answer.
_PATIENCE = 60.0


def describe_to_torch(environment: MutableMapping[str, str]) -> None:
    """Set what torchrun would have set, in a step of several tasks that srun started; else leave all as it is.

    ``SLURM_STEP_NUM_TASKS`` is set in steps alone: a command that an sbatch script runs without srun is one process,
    however many tasks the job was given.

    Args:
        environment: ``os.environ``. ``MASTER_ADDR`` and ``MASTER_PORT`` stay where they are given.

    Raises:
        InputError: the numbers make no sense.
    """
    if "RANK" in environment or "SLURM_STEP_NUM_TASKS" not in environment:
        return
    names = ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURM_LOCALID", "SLURM_JOB_ID", "SLURM_STEP_ID")
    for name in names:
        if not environment.get(name, "").isdecimal():
            raise InputError(f"{name} is {environment.get(name)!r}, no number", hint="start it with srun or torchrun")
    world, rank, local, job, step = (int(environment[name]) for name in names)
    if world == 1:
        return
    host = first_host(environment.get("SLURM_STEP_NODELIST", ""))
    environment.setdefault("MASTER_ADDR", host)
    environment.setdefault("MASTER_PORT", str(_FIRST_PORT + (job * 16 + step) % _PORTS))
    environment.update(RANK=str(rank), WORLD_SIZE=str(world), LOCAL_RANK=str(local))


def first_host(nodes: str) -> str:
    """The first of Slurm's list of nodes, such as ``gpu[003-005,9],login`` (which is ``gpu003``).

    Raises:
        InputError: it is no such list.
    """
    found = re.match(r"([\w.-]+)(?:\[(\d+)[\d,-]*\]([\w.-]*))?(?:,|$)", nodes, re.ASCII)
    if not found:
        raise InputError(f"SLURM_STEP_NODELIST is {nodes!r}"[:200], hint="set MASTER_ADDR to the first node")
    return "".join(part or "" for part in found.groups())


def requeue(environment: Mapping[str, str]) -> str:
    """Put this process's batch job back into Slurm's queue, which ends it; what became of that, for people.

    Args:
        environment: ``os.environ``. Outside a job nothing is done, and the answer is empty.
    """
    job = environment.get("SLURM_JOB_ID", "")
    if not job.isdecimal():
        return ""
    try:
        ended = subprocess.run(
            ["scontrol", "requeue", job], capture_output=True, text=True, errors="replace", timeout=_PATIENCE
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"job {job} could not be requeued: {error}"
    if ended.returncode:
        return f"job {job} could not be requeued: {ended.stderr.strip()[:200]}"
    return f"job {job} requeued"
