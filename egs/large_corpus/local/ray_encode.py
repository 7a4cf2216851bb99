#!/usr/bin/env python3
"""Encode shards on a Ray cluster whose nodes see the same files.

A shard is a task, retried without end wherever its node or process dies. Ray gives the tasks of a job to the same
workers, and a worker keeps its model: 24 tasks on four workers loaded it four times (measured, Ray 2.60), as four
actors would. So they are tasks and no pool of actors, of which those of a node that is gone would wait for room among
the others, which never leave.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
from pathlib import Path
from typing import Any

from vqspeech.counts import counted

#: The models of this worker process.
_MODELS: dict[str, Any] = {}
#: Seconds that whoever wrote a shard has to be gone after its node is.
_WAIT = 300.0


def encode(source: str, out: str, shard: int, shards: int, model: str) -> tuple[str, int, int]:
    """Make a shard; its name, its utterances and how many recordings could not be used."""
    import torch

    import vqspeech
    from vqspeech.encoding import encode_shard, open_rows

    torch.set_num_threads(1)
    if model not in _MODELS:
        _MODELS[model] = vqspeech.load(model or None)
    rows = open_rows(source, Path(out))
    made = encode_shard(_MODELS[model], rows, Path(out), shard=shard, shards=shards, wait=_WAIT)
    return made.name, made.utterances, made.failed


def require_answer(address: str) -> None:
    """Raise OSError where nothing answers at ``HOST:PORT``, for which Ray itself would wait for many minutes."""
    host, _, port = address.rpartition(":")
    if host and port.isdecimal() and "/" not in host:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


def main() -> int:
    """Submit all shards, at most --at-once at a time; 1 if one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source")
    parser.add_argument("--out", required=True)
    parser.add_argument("--shards", type=int, required=True)
    parser.add_argument("--model", default="")
    parser.add_argument("--at-once", type=int, default=1)
    parser.add_argument("--address", default="auto", help="of the cluster; local starts one on this machine")
    options = parser.parse_args()
    try:
        import ray
    except ImportError:
        print("ray_encode.py: needs ray (pip install 'vqspeech[ray]')", file=sys.stderr)
        return 2
    paths = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"}
    try:
        require_answer(options.address)
        ray.init(
            address=None if options.address == "local" else options.address,
            runtime_env={"env_vars": paths},
            log_to_driver=False,
            include_dashboard=False,
        )
    except (OSError, ValueError) as error:
        hint = "ray start --head on a machine, --address HOST:6379, or --address local for one on this machine alone"
        print(f"ray_encode.py: {options.address}: {str(error).splitlines()[0][:200]} ({hint})", file=sys.stderr)
        return 2
    # This file is a script: its function travels by value.
    task = ray.remote(encode).options(max_retries=-1, num_cpus=1)
    waiting = list(range(options.shards, 0, -1))
    running: dict[Any, int] = {}
    status = 0
    while waiting or running:
        while waiting and len(running) < options.at_once:
            shard = waiting.pop()
            running[task.remote(options.source, options.out, shard, options.shards, options.model)] = shard
        (done,), _ = ray.wait(list(running), num_returns=1)
        shard = running.pop(done)
        try:
            name, utterances, failed = ray.get(done)
            unusable = f", {counted(failed, 'recording')} could not be used" if failed else ""
            print(f"{name}: {counted(utterances, 'utterance')}{unusable}", flush=True)
        except ray.exceptions.RayError as error:
            cause = getattr(error, "cause", None) or error
            print(f"ray_encode.py: shard {shard}: {str(cause).splitlines()[-1][:300]}", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
