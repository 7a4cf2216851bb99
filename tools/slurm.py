#!/usr/bin/env python3
"""Run a command, or one copy of it for each job, through Slurm's srun: what stands before the commands of a recipe.

  slurm.py --partition gpu --gpu 1 --mem 16G [--max-jobs-run N] [JOB=1:4] exp/log/encode.JOB.log COMMAND ... JOB ...

The same call, logs and marks as run.py, which runs the jobs on this machine (run.py --help). The machines must see the
same files. --gpu N asks for N GPUs, --num-threads N for N cores a job; any other option is given to srun as it is
(--mem 4G, --time 8:00:00, --partition NAME, --account NAME ...), always with a value.

--nodes N runs one job on N machines, with a task per GPU (one without --gpu); the tasks of `vqspeech train` find each
other.
"""

from __future__ import annotations

import sys
from pathlib import Path

from run import Call, main

#: Options of a recipe -> what srun calls them.
NAMES = {"--gpu": "--gres=gpu:", "--num-threads": "--cpus-per-task="}


def srun(call: Call) -> list[str]:
    """The words that stand before each job's command."""
    tasks = ["--ntasks=1"]
    if nodes := call.options.get("--nodes"):
        tasks = [f"--nodes={nodes}", f"--ntasks-per-node={max(1, int(call.options.get('--gpu', '1')))}"]
    options = [
        f"{NAMES.get(name, f'{name}=')}{value}"
        for name, value in call.options.items()
        if (name, value) != ("--gpu", "0") and name != "--nodes"
    ]
    title = Path(call.log).name.removesuffix(".log")
    return ["srun", *tasks, "--input=none", f"--job-name={title}", *options]


if __name__ == "__main__":
    sys.exit(main(srun))
