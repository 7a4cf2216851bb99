"""``vqspeech.training.muon``: orthogonal steps for matrices and kernels, against a slow reference."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from vqspeech.training.muon import Muon, orthogonalise

sizes = st.integers(1, 12)


@given(rows=sizes, columns=sizes, seed=st.integers(0, 1000), scale=st.sampled_from([1e-3, 1.0, 1e3]))
def test_singular_values_become_about_1_and_directions_stay(rows: int, columns: int, seed: int, scale: float) -> None:
    torch.manual_seed(seed)
    left, _ = torch.linalg.qr(torch.randn(rows, rows))
    right, _ = torch.linalg.qr(torch.randn(columns, columns))
    rank = min(rows, columns)
    values = torch.linspace(0.2, 1, rank)
    matrix = scale * left[:, :rank] @ torch.diag(values) @ right[:rank]
    orthogonal = orthogonalise(matrix)
    assert orthogonal.shape == matrix.shape
    # In the matrix's own singular directions the result is diagonal.
    inner = left[:, :rank].t() @ orthogonal @ right[:rank].t()
    assert inner.diagonal().min() > 0.6
    assert inner.diagonal().max() < 1.3
    assert (inner - torch.diag(inner.diagonal())).abs().max() < 1e-3


@given(rows=sizes, columns=sizes, seed=st.integers(0, 1000))
def test_tall_and_wide_are_treated_alike(rows: int, columns: int, seed: int) -> None:
    torch.manual_seed(seed)
    matrix = torch.randn(rows, columns)
    torch.testing.assert_close(orthogonalise(matrix.t()), orthogonalise(matrix).t(), rtol=1e-3, atol=1e-4)


def test_no_gradient_makes_no_step() -> None:
    assert torch.equal(orthogonalise(torch.zeros(3, 4)), torch.zeros(3, 4))


def slow_step(weight: Tensor, momentum: Tensor, gradient: Tensor, lr: float, decay: float) -> tuple[Tensor, Tensor]:
    """One step of Nesterov momentum made orthogonal, by an exact singular value decomposition."""
    momentum = 0.95 * momentum + gradient
    direction = (gradient + 0.95 * momentum).flatten(1)
    left, _, right = torch.linalg.svd(direction, full_matrices=False)
    rows, columns = direction.shape
    step = left @ right * max(1, rows / columns) ** 0.5
    return weight - lr * decay * weight - lr * step.view_as(weight), momentum


@pytest.mark.parametrize("shape", [(6, 6), (12, 4), (4, 12), (8, 3, 5), (20, 2, 3)])
def test_a_step_is_the_slow_reference_up_to_the_roughness_of_the_iteration(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    parameter = torch.nn.Parameter(torch.randn(shape))
    optimiser = Muon([parameter], lr=0.1, weight_decay=0.02)
    for _ in range(3):
        before = parameter.detach().clone()
        momentum = optimiser.state[parameter].get("momentum", torch.zeros(shape)).clone()
        parameter.grad = torch.randn(shape)
        optimiser.step()
        expected, expected_momentum = slow_step(before, momentum, parameter.grad, 0.1, 0.02)
        torch.testing.assert_close(optimiser.state[parameter]["momentum"], expected_momentum)
        moved, should = parameter.detach() - before, expected - before
        assert torch.nn.functional.cosine_similarity(moved.flatten(), should.flatten(), dim=0) > 0.97
        assert 0.75 < moved.norm() / should.norm() < 1.25


def test_groups_have_their_own_rates_and_parameters_without_gradient_rest() -> None:
    torch.manual_seed(0)
    fast, slow, resting = (torch.nn.Parameter(torch.randn(4, 4)) for _ in range(3))
    before = [parameter.detach().clone() for parameter in (fast, slow, resting)]
    optimiser = Muon([{"params": [fast], "lr": 0.1}, {"params": [slow, resting], "lr": 0.001}], lr=1.0)
    fast.grad = slow.grad = torch.randn(4, 4)
    optimiser.step()
    moved = [float((a.detach() - b).norm()) for a, b in zip((fast, slow, resting), before, strict=True)]
    assert moved[0] == pytest.approx(100 * moved[1], rel=0.05)
    assert moved[2] == 0
