"""Compiled projections of a stream: PyTorch's up to rounding on every processor level, whatever comes together."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from vqspeech.generation import native_engine, native_projection
from vqspeech.generation.native_projection import NativeProjection
from vqspeech.streaming.layers import Layers, StreamedConvolution, TorchProjection

if native_projection.Projection is None or native_engine.MISSING:
    pytest.skip("the compiled engine was not built, or is of an earlier version", allow_module_level=True)

FP32_SETS = native_engine.instruction_sets("fp32")


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("level", FP32_SETS)
@settings(deadline=None, max_examples=25)
@given(
    inputs=st.integers(1, 70),
    outputs=st.integers(1, 70),
    size=st.integers(0, 400),
    hop=st.integers(1, 70),
    exponent=st.integers(-24, 4),
)
def test_windows_are_those_of_pytorch(
    level: str, half: bool, inputs: int, outputs: int, size: int, hop: int, exponent: int
) -> None:
    torch.manual_seed(0)
    weight = torch.randn(outputs, inputs) * 2.0**exponent  # the smallest are subnormal in fp16
    bias = torch.randn(outputs)
    native = NativeProjection(weight, bias, half=half, instruction_set=level)
    assert native.half == (half and level in native_engine.half_sets())
    stored = weight.half().double() if native.half else weight.double()
    rows = torch.randn(size)
    made = native.windows(rows, hop)
    count = max(0, (size - inputs) // hop + 1)
    assert made.shape == (count, outputs)
    windows = rows.double().unfold(0, inputs, hop) if count else rows.double().new_zeros(0, inputs)
    for found, given_weight in ((made, stored), (TorchProjection(weight, bias).windows(rows, hop), weight.double())):
        exact = windows @ given_weight.t() + bias.double()
        # Each of `inputs` products and sums rounds once, by 2^-24 of what it has come to.
        bound = (inputs + 2) * 2.0**-24 * (windows.abs() @ given_weight.abs().t() + bias.abs().double())
        assert found.shape == exact.shape
        assert bool(((found - exact).abs() <= bound).all())


@given(chunks=st.lists(st.integers(0, 9), min_size=1, max_size=8).filter(any))
@settings(deadline=None)
def test_a_row_does_not_depend_on_those_beside_it(chunks: list[int]) -> None:
    torch.manual_seed(0)
    native = NativeProjection(torch.randn(48, 20), torch.randn(48), half=True)
    rows = torch.randn(sum(chunks), 20)
    pieces = [native.windows(chunk.contiguous(), 20) for chunk in rows.split(chunks)]
    assert torch.equal(torch.cat(pieces), native.windows(rows, 20))


@pytest.mark.parametrize("native", [False, True])
@given(chunks=st.lists(st.integers(0, 9), min_size=1, max_size=8), stride=st.integers(1, 3), left=st.integers(0, 3))
@settings(deadline=None, max_examples=20)
@torch.no_grad()
def test_a_convolution_over_a_stream_is_that_of_the_whole(
    native: bool, chunks: list[int], stride: int, left: int
) -> None:
    torch.manual_seed(0)
    convolution = nn.Conv1d(5, 7, 2 * stride, stride)
    rows = torch.randn(sum(chunks), 5)
    stream = StreamedConvolution(convolution, left, Layers(native=native))
    made = torch.cat([stream.push(chunk) for chunk in rows.split(chunks)])
    whole = torch.cat([torch.zeros(left, 5), rows])
    complete = max(0, (len(whole) - 2 * stride) // stride + 1)
    assert made.shape == (complete, 7)
    if complete:
        torch.testing.assert_close(made, convolution(whole.t()[None])[0].t())


def test_what_does_not_fit_is_refused() -> None:
    native = NativeProjection(torch.randn(4, 3), torch.randn(4))
    with pytest.raises(ValueError, match="wrong hop"):
        native.windows(torch.zeros(3), 0)
