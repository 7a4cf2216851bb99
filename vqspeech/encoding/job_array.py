"""Which shard of how many this process is to make, as Slurm's arrays and torchrun say it."""

from __future__ import annotations

from collections.abc import Mapping

from vqspeech.errors import InputError


def place_of_this_job(environment: Mapping[str, str]) -> tuple[int, int] | None:
    """Shard, from 1, and number of shards; None where there is no job array, no torchrun and no srun of several tasks.

    An array whose jobs are of several processes each has as many shards as processes in all.

    Args:
        environment: ``os.environ``. ``SLURM_ARRAY_TASK_ID`` counts from ``SLURM_ARRAY_TASK_MIN`` in steps of
            ``SLURM_ARRAY_TASK_STEP``; ``RANK`` from 0, and so does ``SLURM_PROCID`` in the steps that srun starts.

    Raises:
        InputError: the numbers make no sense.
    """
    found = [place for place in (_of_array(environment), _of_processes(environment)) if place is not None]
    if not found:
        return None
    shard, shards = 0, 1
    for place, count in found:
        shard, shards = shard * count + place, shards * count
    return shard + 1, shards


def _of_array(environment: Mapping[str, str]) -> tuple[int, int] | None:
    """Place, from 0, and number of jobs of Slurm's array."""
    if "SLURM_ARRAY_TASK_ID" not in environment:
        return None
    task, least = (_number(environment, f"SLURM_ARRAY_TASK_{name}", None) for name in ("ID", "MIN"))
    step = _number(environment, "SLURM_ARRAY_TASK_STEP", 1)
    count = _number(environment, "SLURM_ARRAY_TASK_COUNT", None)
    return _checked((task - least) // max(step, 1), count, "SLURM_ARRAY_TASK_ID and _COUNT")


def _of_processes(environment: Mapping[str, str]) -> tuple[int, int] | None:
    """Place, from 0, and number of processes of torchrun, or of tasks of a step that srun started."""
    # srun may have started one torchrun per machine: RANK counts the processes of all of them.
    names = ("RANK", "WORLD_SIZE") if "RANK" in environment else ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS")
    if not all(name in environment for name in names):
        return None
    place, count = (_number(environment, name, None) for name in names)
    # One task is no division: it makes all shards in turn, or the one that it is told.
    return None if count == 1 and "RANK" not in environment else _checked(place, count, " and ".join(names))


def _checked(place: int, count: int, names: str) -> tuple[int, int]:
    if not 0 <= place < count:
        raise InputError(f"{names} say shard {place + 1} of {count}", hint="give --shards N --shard I")
    return place, count


def _number(environment: Mapping[str, str], name: str, default: int | None) -> int:
    word = environment.get(name, "" if default is None else str(default))
    if not word.isdecimal():
        raise InputError(f"{name} is {word!r}, no number", hint="give --shards N --shard I")
    return int(word)
