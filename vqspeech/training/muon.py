"""Muon: momentum whose every step is made orthogonal (Jordan et al. 2024, "Muon: an optimizer for hidden layers").

torch's own ``torch.optim.Muon`` takes two-dimensional parameters alone; convolutions have three.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

#: The quintic of the Newton-Schulz iteration that the authors tuned for steepness at 0.
_QUINTIC = (3.4445, -4.7750, 2.0315)


def orthogonalise(matrix: Tensor, iterations: int = 5, dtype: torch.dtype = torch.float32) -> Tensor:
    """The nearest semi-orthogonal matrix, roughly: all singular values to about 1.

    Args:
        matrix: ``(rows, columns)``.
        iterations: of Newton-Schulz.
        dtype: of its products; the authors use bfloat16.
    """
    a, b, c = _QUINTIC
    x = (matrix / (matrix.norm() + 1e-7)).to(dtype)
    tall = x.shape[0] > x.shape[1]
    if tall:
        x = x.t()
    for _ in range(iterations):
        gram = x @ x.t()  # (shorter side, shorter side)
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.t() if tall else x).to(matrix.dtype)


class Muon(Optimizer):
    """Muon for matrices and for convolution kernels, which are matrices of one row an output channel.

    Args:
        parameters: tensors of two or more dimensions, or groups of them.
        lr: learning rate; a step changes a square matrix by about this much in every direction.
        momentum: of the (Nesterov) momentum.
        weight_decay: times the learning rate.
        dtype: of the products that make a step orthogonal.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.01,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.dtype = dtype
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Take one step with the gradients that are there."""
        assert closure is None
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(parameter)
                momentum = state["momentum"].mul_(group["momentum"]).add_(parameter.grad)
                direction = (parameter.grad + group["momentum"] * momentum).flatten(1)  # (rows, all else)
                step = orthogonalise(direction, dtype=self.dtype)
                scale = group["lr"] * max(1.0, step.shape[0] / step.shape[1]) ** 0.5
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(step.view_as(parameter), alpha=-scale)
