"""Which shard of how many this process is to make, as Slurm's arrays and torchrun say it."""

from __future__ import annotations

from collections.abc import Mapping

from vqspeech.errors import InputError


def place_of_this_job(environment: Mapping[str, str]) -> tuple[int, int] | None:
    """Shard, from 1, and number of shards; None where there is neither a job array nor torchrun.

    Args:
        environment: ``os.environ``. ``SLURM_ARRAY_TASK_ID`` counts from ``SLURM_ARRAY_TASK_MIN`` in steps of
            ``SLURM_ARRAY_TASK_STEP``; ``RANK`` from 0.

    Raises:
        InputError: the numbers make no sense.
    """
    if "SLURM_ARRAY_TASK_ID" in environment:
        task, least = (_number(environment, f"SLURM_ARRAY_TASK_{name}", None) for name in ("ID", "MIN"))
        step, count = (
            _number(environment, "SLURM_ARRAY_TASK_STEP", 1),
            _number(environment, "SLURM_ARRAY_TASK_COUNT", None),
        )
        place = (task - least) // max(step, 1)
        names = "SLURM_ARRAY_TASK_ID and _COUNT"
    elif "RANK" in environment and "WORLD_SIZE" in environment:
        place, count = _number(environment, "RANK", None), _number(environment, "WORLD_SIZE", None)
        names = "RANK and WORLD_SIZE"
    else:
        return None
    if not 0 <= place < count:
        raise InputError(f"{names} say shard {place + 1} of {count}", hint="give --shards N --shard I")
    return place + 1, count


def _number(environment: Mapping[str, str], name: str, default: int | None) -> int:
    word = environment.get(name, "" if default is None else str(default))
    if not word.isdecimal():
        raise InputError(f"{name} is {word!r}, no number", hint="give --shards N --shard I")
    return int(word)
