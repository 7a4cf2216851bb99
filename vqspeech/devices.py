"""Where training runs: one CPU, one GPU, or one process per GPU under ``torchrun`` or Slurm's ``srun``."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from vqspeech.errors import InputError
from vqspeech.slurm_step import describe_to_torch

#: Types of matrix products; which ``auto`` is, is for training to time.
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16, "auto": torch.float32}


def find_device(name: str) -> torch.device:
    """The device called ``name``: ``cpu``, ``cuda``, ``cuda:N``, or with ``auto`` a GPU where there is one.

    A GPU becomes the process's current one, and computes products of fp32 in fp32: TF32 keeps ten bits of the mantissa,
    and codes of one recording would differ between CPU and GPU.

    Raises:
        InputError: there is no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except (RuntimeError, ValueError):
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise InputError(f"no device {name!r}", hint="use auto, cpu, cuda or cuda:N")
    if device.type == "cpu":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise InputError("no GPU that torch can use", hint="use --device cpu, or set up with --cuda")
    count = torch.cuda.device_count()
    index = torch.cuda.current_device() if device.index is None else device.index
    if index >= count:
        listed = ", ".join(f"cuda:{number}" for number in range(count))
        raise InputError(f"no device {name!r}", hint=f"there is {listed}")
    device = torch.device("cuda", index)  # set_device takes none without an index
    torch.cuda.set_device(device)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    return device


def _local_rank() -> int:
    rank = os.environ.get("LOCAL_RANK", "")
    if not rank.isdecimal():
        raise InputError("several processes, but LOCAL_RANK is not set", hint="start them with torchrun")
    return int(rank)


@dataclass(frozen=True)
class Devices:
    """This process's device and its place among the others.

    Attributes:
        device: where this process computes.
        rank: which process it is.
        world: how many there are.
        dtype: of matrix products.
    """

    device: torch.device
    rank: int
    world: int
    dtype: torch.dtype

    @classmethod
    def find(cls, name: str, precision: str) -> Devices:
        """Take the device called ``name``, as ``find_device`` does; join the group of ``torchrun`` or ``srun``.

        Raises:
            InputError: there is no such device.
        """
        describe_to_torch(os.environ)
        world, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
        if world > 1 and name in ("auto", "cuda") and torch.cuda.is_available():
            name = f"cuda:{_local_rank()}"
        device = find_device(name)
        if world > 1 and not dist.is_initialized():
            dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
        return cls(device, rank, world, _DTYPES[precision])

    def in_precision(self, precision: str) -> Devices:
        """The same place, with matrix products in another precision."""
        return replace(self, dtype=_DTYPES[precision])

    @property
    def leads(self) -> bool:
        """Whether this is the process that logs, evaluates and writes."""
        return self.rank == 0

    def autocast(self) -> AbstractContextManager[Any]:
        """Matrix products in this run's precision."""
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32)

    def share(self, module: nn.Module) -> nn.Module:
        """Have the gradients of ``module`` averaged over all processes."""
        if self.world == 1:
            return module
        # In phases without the decoder its parameters get no gradient.
        return nn.parallel.DistributedDataParallel(module, find_unused_parameters=True)
