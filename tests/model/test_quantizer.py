"""``vqspeech.model.quantizer``: the objective of the paper, both codebook updates, and what keeps codes alive."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from vqspeech.model.config import QuantizerConfig
from vqspeech.model.quantizer import Quantizer, perplexity, time_jitter

sizes = st.integers(1, 6)


def make_quantizer(codes: int = 4, dimension: int = 3, *, started: bool = True, **changes: Any) -> Quantizer:
    values: dict[str, Any] = {"update": "loss", "decay": 0.9, "commitment": 0.25, "restart_below": 0.0, "jitter": 0.0}
    quantizer = Quantizer(QuantizerConfig(codes=codes, **(values | changes)), dimension)
    quantizer.started.fill_(started)
    return quantizer


def state(quantizer: Quantizer) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in quantizer.state_dict().items()}


def slowly_nearest(codebook: Tensor, vector: Tensor) -> int:
    rows = codebook.detach().tolist()
    distances = [sum((v - e) ** 2 for v, e in zip(vector.tolist(), row, strict=True)) for row in rows]
    return distances.index(min(distances))


@given(seed=st.integers(0, 1000), codes=st.integers(2, 9), dimension=sizes, count=sizes)
def test_the_nearest_code_is_the_one_of_least_distance(seed: int, codes: int, dimension: int, count: int) -> None:
    torch.manual_seed(seed)
    quantizer = make_quantizer(codes, dimension)
    vectors = torch.randn(count, dimension)
    for vector, code in zip(vectors, quantizer.nearest(vectors), strict=True):
        assert int(code) == slowly_nearest(quantizer.codebook, vector)


@given(seed=st.integers(0, 1000), batch=sizes, dimension=sizes, time=sizes, update=st.sampled_from(["loss", "ema"]))
def test_any_shape_is_quantised_frame_by_frame(seed: int, batch: int, dimension: int, time: int, update: str) -> None:
    torch.manual_seed(seed)
    quantizer = make_quantizer(5, dimension, update=update)
    codebook = quantizer.codebook.detach().clone()
    z = torch.randn(batch, dimension, time)
    quantized = quantizer(z)
    assert quantized.values.shape == z.shape
    assert quantized.codes.shape == (batch, time)
    for row in range(batch):
        for frame in range(time):
            code = slowly_nearest(codebook, z[row, :, frame])
            assert quantized.codes[row, frame] == code
            torch.testing.assert_close(quantized.values[row, :, frame], codebook[code])


@pytest.mark.parametrize("update", ["loss", "ema"])
@pytest.mark.parametrize("positions", [(), (1,), (4, 3), (2, 3, 4)], ids=str)
def test_positions_may_have_any_number_of_axes(positions: tuple[int, ...], update: str) -> None:
    torch.manual_seed(0)
    shaped, flat = make_quantizer(5, 3, update=update), make_quantizer(5, 3, update=update)
    flat.load_state_dict(shaped.state_dict())
    z = torch.randn(2, 3, *positions, requires_grad=True)
    row = z.detach().reshape(2, 3, -1).requires_grad_()
    one, other = shaped(z), flat(row)
    assert one.values.shape == z.shape
    assert one.codes.shape == (2, *positions)
    assert torch.equal(one.values.reshape(2, 3, -1), other.values)
    assert torch.equal(one.codes.reshape(2, -1), other.codes)
    assert torch.equal(shaped.lookup(one.codes).reshape(2, 3, -1), flat.lookup(other.codes))
    for quantized in (one, other):
        (quantized.values.square().sum() + quantized.codebook_loss + quantized.commitment_loss).backward()
    assert z.grad is not None
    assert row.grad is not None
    torch.testing.assert_close(z.grad.reshape(2, 3, -1), row.grad)
    torch.testing.assert_close(shaped.codebook.grad, flat.codebook.grad)
    # The averages have moved alike.
    assert all(torch.equal(tensor, state(flat)[name]) for name, tensor in state(shaped).items())


@pytest.mark.parametrize("positions", [(), (4, 3), (2, 3, 4)], ids=str)
def test_before_the_start_any_positions_pass_through(positions: tuple[int, ...]) -> None:
    z = torch.randn(2, 3, *positions)
    quantized = make_quantizer(started=False)(z)
    assert torch.equal(quantized.values, z)
    assert quantized.codes.shape == (2, *positions)


def test_lookup_gives_back_the_vectors_of_codes() -> None:
    quantizer = make_quantizer().eval()
    quantized = quantizer(torch.randn(2, 3, 7))
    torch.testing.assert_close(quantizer.lookup(quantized.codes), quantized.values)


@pytest.mark.parametrize("update", ["loss", "ema"])
def test_the_gradient_of_the_values_reaches_the_input_unchanged_and_the_codebook_not_at_all(update: str) -> None:
    quantizer = make_quantizer(update=update)
    z = torch.randn(2, 3, 5, requires_grad=True)
    gradient = torch.randn(2, 3, 5)
    quantizer(z).values.backward(gradient)
    assert z.grad is not None
    assert torch.equal(z.grad, gradient)
    assert quantizer.codebook.grad is None


def test_the_second_and_third_term_are_those_of_equation_3_for_each_component() -> None:
    quantizer = make_quantizer()
    z = torch.randn(2, 3, 5)
    quantized = quantizer(z)
    squared = [
        float(z[row, d, frame] - quantizer.codebook[quantized.codes[row, frame], d].detach()) ** 2
        for row in range(2)
        for d in range(3)
        for frame in range(5)
    ]
    assert quantized.codebook_loss.item() == pytest.approx(sum(squared) / len(squared), rel=1e-5)
    assert quantized.commitment_loss.item() == pytest.approx(sum(squared) / len(squared), rel=1e-5)


def test_the_second_term_moves_the_codebook_alone() -> None:
    quantizer = make_quantizer()
    z = torch.randn(2, 3, 5, requires_grad=True)
    quantized = quantizer(z)
    quantized.codebook_loss.backward()
    assert z.grad is None
    expected = torch.zeros(4, 3)
    for row in range(2):
        for frame in range(5):
            code = quantized.codes[row, frame]
            expected[code] += 2 * (quantizer.codebook[code] - z[row, :, frame]).detach() / z.numel()
    torch.testing.assert_close(quantizer.codebook.grad, expected)


def test_the_third_term_moves_the_input_alone() -> None:
    quantizer = make_quantizer()
    z = torch.randn(2, 3, 5, requires_grad=True)
    quantized = quantizer(z)
    quantized.commitment_loss.backward()
    assert quantizer.codebook.grad is None
    torch.testing.assert_close(z.grad, 2 * (z - quantized.values).detach() / z.numel())


def test_with_moving_averages_there_is_no_second_term_and_no_gradient_for_the_codebook() -> None:
    quantizer = make_quantizer(update="ema")
    quantized = quantizer(torch.randn(2, 3, 5))
    assert float(quantized.codebook_loss) == 0
    assert not quantizer.codebook.requires_grad


def test_moving_averages_follow_appendix_a1_in_units_of_the_fair_share() -> None:
    torch.manual_seed(0)
    quantizer = make_quantizer(5, 3, update="ema", decay=0.8)
    e = quantizer.codebook.double().clone()
    n, m = quantizer.counts.double().clone(), quantizer.sums.double().clone()
    for frames in (40, 3, 17):  # batches of other sizes weigh alike
        z = torch.randn(2, 3, frames)
        quantizer(z)
        chosen: list[list[Tensor]] = [[] for _ in range(5)]
        for row in range(2):
            for frame in range(frames):
                chosen[slowly_nearest(e, z[row, :, frame])].append(z[row, :, frame].double())
        fair_share = 2 * frames / 5
        for code, vectors in enumerate(chosen):
            n[code] = 0.8 * n[code] + 0.2 * len(vectors) / fair_share
            m[code] = 0.8 * m[code] + 0.2 * sum(vectors, torch.zeros(3).double()) / fair_share
            e[code] = m[code] / n[code]
        torch.testing.assert_close(quantizer.counts.double(), n, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(quantizer.codebook.double(), e, rtol=1e-4, atol=1e-5)


def test_with_batches_of_one_size_the_fair_share_cancels_out() -> None:
    torch.manual_seed(0)
    quantizer = make_quantizer(5, 3, update="ema", decay=0.8)
    e = quantizer.codebook.clone()
    n, m = torch.full((5,), 40 / 5), e * 40 / 5  # the paper's own N and m, of raw counts and sums
    for _ in range(4):
        z = torch.randn(1, 3, 40)
        codes = torch.tensor([slowly_nearest(e, vector) for vector in z[0].t()])
        quantizer(z)
        for code in range(5):
            n[code] = 0.8 * n[code] + 0.2 * int((codes == code).sum())
            m[code] = 0.8 * m[code] + 0.2 * z[0].t()[codes == code].sum(0)
        e = m / n[:, None]
        torch.testing.assert_close(quantizer.codebook, e, rtol=1e-4, atol=1e-5)


def test_in_loss_mode_only_an_optimiser_moves_the_codebook() -> None:
    quantizer = make_quantizer()
    before = quantizer.codebook.detach().clone()
    quantizer(torch.randn(2, 3, 5))
    assert torch.equal(quantizer.codebook, before)


@pytest.mark.parametrize("decay", [0.5, 0.9])
def test_a_code_that_is_never_chosen_stays_where_it_is_however_long(decay: float) -> None:
    quantizer = make_quantizer(3, 2, update="ema", decay=decay)
    quantizer.start(torch.tensor([[0.0, 1.0], [1.0, 0.0], [50.0, 50.0]]))
    far = quantizer.codebook.sum(1).argmax()
    for _ in range(200):
        quantizer(torch.rand(1, 2, 6))
    torch.testing.assert_close(quantizer.codebook[far], torch.tensor([50.0, 50.0]))


def die_and_restart(update: str) -> tuple[Quantizer, int, Tensor]:
    """A quantiser one of whose codes has just been restarted, which code, and the batch that it was restarted on."""
    torch.manual_seed(0)
    quantizer = make_quantizer(3, 2, update=update, restart_below=0.1, decay=0.5)
    quantizer.start(torch.tensor([[0.0, 1.0], [1.0, 0.0], [50.0, 50.0]]))
    far = int(quantizer.codebook.sum(1).argmax())
    for _ in range(10):
        z = torch.rand(1, 2, 6)
        quantizer(z)
        if quantizer.codebook[far].max() < 40:
            return quantizer, far, z[0].t()
    raise AssertionError("the code was not restarted")


@pytest.mark.parametrize("update", ["loss", "ema"])
def test_a_dead_code_moves_to_a_vector_of_the_batch_with_its_averages(update: str) -> None:
    quantizer, code, vectors = die_and_restart(update)
    assert (vectors == quantizer.codebook[code]).all(1).any()
    assert quantizer.counts[code] > 0.1
    torch.testing.assert_close(quantizer.sums[code] / quantizer.counts[code], quantizer.codebook[code].detach())


@pytest.mark.parametrize("update", ["loss", "ema"])
def test_the_next_update_leaves_a_restarted_and_unused_code_in_place(update: str) -> None:
    quantizer, code, _ = die_and_restart(update)
    restarted = quantizer.codebook[code].detach().clone()
    others = [quantizer.codebook[other].detach() for other in range(3) if other != code]
    quantizer(torch.stack(others * 3, 1)[None])
    torch.testing.assert_close(quantizer.codebook[code].detach(), restarted)


@pytest.mark.parametrize("update", ["loss", "ema"])
def test_with_restart_below_0_no_code_is_ever_restarted(update: str) -> None:
    quantizer = make_quantizer(3, 2, update=update, decay=0.0)
    quantizer.codebook.data[2] = 50.0
    quantizer.sums[2] = 50.0
    for _ in range(20):
        quantizer(torch.rand(1, 2, 6))
    assert torch.equal(quantizer.codebook[2].detach(), torch.tensor([50.0, 50.0]))


def test_before_the_start_the_input_passes_through() -> None:
    quantizer = make_quantizer(started=False)
    before = state(quantizer)
    z = torch.randn(2, 3, 5, requires_grad=True)
    quantized = quantizer(z)
    assert torch.equal(quantized.values, z)
    assert float(quantized.codebook_loss) == float(quantized.commitment_loss) == 0
    assert all(torch.equal(tensor, before[name]) for name, tensor in state(quantizer).items())


@pytest.mark.parametrize("seed", range(3))
def test_the_start_places_a_code_on_each_of_well_separated_clusters(seed: int) -> None:
    torch.manual_seed(seed)
    centres = 10.0 * torch.eye(4)
    # K-means may settle with two codes in one cluster; with twice as many codes each cluster has at least one.
    quantizer = make_quantizer(8, 4, started=False)
    vectors = centres.repeat(50, 1) + 0.1 * torch.randn(200, 4)
    quantizer.start(vectors)
    assert quantizer.started
    codes = quantizer.nearest(vectors)
    assert len(codes.unique()) == 8
    assert (vectors - quantizer.codebook[codes]).norm(dim=1).max() < 1
    assert (torch.cdist(quantizer.codebook.detach(), centres).min(1).values < 1).all()


def test_the_start_averages_are_those_of_even_use() -> None:
    quantizer = make_quantizer(started=False)
    quantizer.start(torch.randn(100, 3))
    assert torch.equal(quantizer.counts, torch.ones(4))
    assert torch.equal(quantizer.sums, quantizer.codebook)


def test_the_start_does_with_fewer_vectors_than_codes() -> None:
    quantizer = make_quantizer(8, 3, started=False)
    quantizer.start(torch.randn(3, 3))
    assert torch.isfinite(quantizer.codebook).all()


@pytest.mark.parametrize("update", ["loss", "ema"])
def test_evaluation_changes_nothing(update: str) -> None:
    quantizer = make_quantizer(update=update, restart_below=0.9).eval()
    before = state(quantizer)
    quantizer(torch.randn(2, 3, 5))
    assert all(torch.equal(tensor, before[name]) for name, tensor in state(quantizer).items())


@given(codes=st.integers(1, 600), count=st.integers(1, 50))
def test_the_perplexity_of_even_use_is_the_number_of_codes(codes: int, count: int) -> None:
    assert perplexity(torch.full((codes,), float(count))) == pytest.approx(codes)


def test_the_perplexity_of_one_code_is_1_and_unused_codes_do_not_count() -> None:
    assert perplexity(torch.tensor([0.0, 7.0, 0.0])) == pytest.approx(1)
    shares = np.array([0.5, 0.25, 0.25])
    assert perplexity(torch.tensor([2.0, 1.0, 0.0, 1.0])) == pytest.approx(math.exp(-(shares * np.log(shares)).sum()))


@given(seed=st.integers(0, 1000), batch=sizes, dimension=sizes, time=sizes, probability=st.floats(0, 1))
def test_jitter_takes_whole_frames_from_neighbours(
    seed: int, batch: int, dimension: int, time: int, probability: float
) -> None:
    torch.manual_seed(seed)
    values = torch.randn(batch, dimension, time)
    jittered = time_jitter(values, probability)
    for row in range(batch):
        for frame in range(time):
            near = values[row, :, max(0, frame - 1) : frame + 2]
            assert (near == jittered[row, :, frame, None]).all(0).any()


def test_jitter_of_0_changes_nothing() -> None:
    values = torch.randn(2, 3, 50)
    assert torch.equal(time_jitter(values, 0.0), values)


def test_jitter_moves_each_way_half_as_often_as_it_is_told() -> None:
    torch.manual_seed(0)
    time = 20_000
    step = time_jitter(torch.arange(float(time))[None, None], 0.3)[0, 0] - torch.arange(time)
    assert float((step == 1).float().mean()) == pytest.approx(0.15, abs=0.01)
    assert float((step == -1).float().mean()) == pytest.approx(0.15, abs=0.01)
