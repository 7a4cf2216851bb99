"""Where training runs: one CPU, one GPU, or one process a GPU under ``torchrun``."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from vqspeech.errors import InputError


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
        """Take the device called ``name``, or with ``auto`` a GPU where there is one; join ``torchrun``'s group.

        Raises:
            InputError: there is no such device.
        """
        world, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
        if name == "auto":
            name = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            device = torch.device(name)
        except RuntimeError:
            raise InputError(f"no device {name!r}", cure="use auto, cpu, cuda or cuda:N") from None
        if device.type == "cuda":
            if not torch.cuda.is_available():
                raise InputError("no GPU that torch can use", cure="use --device cpu, or set up with --cuda")
            if world > 1:
                device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
            torch.cuda.set_device(device)
            torch.backends.cuda.matmul.allow_tf32 = True
            torch.backends.cudnn.allow_tf32 = True
        if world > 1 and not dist.is_initialized():
            dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
        return cls(device, rank, world, torch.bfloat16 if precision == "bf16" else torch.float32)

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
        # While the decoder rests its parameters get no gradient.
        return nn.parallel.DistributedDataParallel(module, find_unused_parameters=True)
