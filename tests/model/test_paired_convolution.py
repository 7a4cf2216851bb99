"""Convolutions of pairs of rows: those of PyTorch, and no row but an utterance's own."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from vqspeech.model.paired_convolution import Buffers, PairedConvolution, Pairs


@pytest.mark.parametrize("aligned", [False, True])
@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    dilation=st.integers(1, 9),
    past=st.integers(0, 2),
    gap=st.integers(0, 3),
    tile=st.sampled_from([4, 10, 16]),
)
def test_each_utterance_is_convolved_by_itself(
    aligned: bool, lengths: list[int], dilation: int, past: int, gap: int, tile: int
) -> None:
    torch.manual_seed(sum(lengths))
    weight, bias = torch.randn(5, 7, 3), torch.randn(5)
    convolution = PairedConvolution(weight.permute(2, 1, 0), bias)
    spans, row = [], 0
    for length in lengths:
        spans.append((row, row + length))
        row += length + gap
    pairs = Pairs.of(spans, row, dilation=dilation, offset=-past * dilation, tile=tile, aligned=aligned)
    x = torch.randn(row, 7)
    inputs = torch.cat([x, torch.zeros(1, 7)])
    buffers = Buffers(convolution.weights, tile // 2)
    made = torch.full((len(pairs.seen), tile, 5), torch.nan)
    for place, out in zip(pairs.seen, made, strict=True):
        seen = inputs[place].unflatten(0, (4, -1))
        convolution(seen, out.unflatten(0, (2, -1)), buffers)
    result = made.flatten(0, 1)[pairs.place]
    for begin, end in spans:
        padded = F.pad(x[begin:end].t(), (past * dilation, (2 - past) * dilation))
        expected = F.conv1d(padded[None], weight, bias, dilation=dilation)[0].t()
        torch.testing.assert_close(result[begin:end], expected, rtol=0, atol=1e-4)
        if aligned:
            assert int(pairs.place[begin]) % tile == 0
