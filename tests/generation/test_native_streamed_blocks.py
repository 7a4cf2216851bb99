"""Compiled residual blocks over a stream: PyTorch's up to rounding on every processor level, whatever the chunks."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from vqspeech.generation import native_engine, native_streamed_blocks
from vqspeech.generation.native_streamed_blocks import NativeStack, native_stack
from vqspeech.model.residual import Block, ModulatedBlock, ResidualBlock
from vqspeech.streaming.layers import Layers, StreamedStack

if native_streamed_blocks.BlockStack is None or native_engine.MISSING:
    pytest.skip("the compiled engine was not built, or is of an earlier version", allow_module_level=True)

FP32_SETS = native_engine.instruction_sets("fp32")
SPEAKER = 5
KINDS = st.sampled_from(["plain", "modulated", "of a speaker"])
DILATIONS = st.lists(st.integers(-9, 9).filter(bool), min_size=1, max_size=4)
CHUNKS = st.lists(st.integers(0, 40), min_size=1, max_size=8).filter(any)


def blocks_of(kind: str, channels: int, dilations: list[int]) -> list[Block]:
    made: list[Block] = []
    for dilation in dilations:
        dimension = SPEAKER if kind == "of a speaker" else 0
        made.append(
            ResidualBlock(channels, dilation) if kind == "plain" else ModulatedBlock(channels, dilation, dimension)
        )
        for parameter in made[-1].parameters():  # none of them zeros, as fresh biases are
            nn.init.normal_(parameter, std=0.5 * channels**-0.5)
    return made


def speaker_of(kind: str) -> Tensor | None:
    return torch.randn(SPEAKER) if kind == "of a speaker" else None


@torch.no_grad()
def plain(blocks: list[Block], x: Tensor, speaker: Tensor | None) -> Tensor:
    """``(rows, channels)`` -> the same shape, by the blocks themselves in float64."""
    x = x.double()
    vector = None if speaker is None else speaker.double()[None]
    for block in blocks:
        exact = block.double()
        x = exact(x[None], vector)[0] if isinstance(exact, ModulatedBlock) else exact(x.t()[None])[0].t()
        block.float()
    return x


@pytest.mark.parametrize("level", FP32_SETS)
@settings(deadline=None, max_examples=25)
@given(
    kind=KINDS, channels=st.sampled_from([32, 64, 160]), dilations=DILATIONS, chunks=CHUNKS, seed=st.integers(0, 2**16)
)
@torch.no_grad()
def test_rows_are_those_of_pytorch_when_their_context_is_complete(
    level: str, kind: str, channels: int, dilations: list[int], chunks: list[int], seed: int
) -> None:
    torch.manual_seed(seed)
    blocks, speaker, rows = blocks_of(kind, channels, dilations), speaker_of(kind), sum(chunks)
    x = torch.randn(rows, channels)
    expected = plain(blocks, x, speaker)
    native = NativeStack(blocks, instruction_set=level).open(speaker)
    reference = StreamedStack(blocks, channels, speaker)
    made, same = [], []
    for chunk in x.split(chunks):
        made.append(native.push(chunk))
        same.append(reference.push(chunk))
        assert made[-1].shape == same[-1].shape
    ahead = sum(dilation for dilation in dilations if dilation > 0)
    complete = max(0, rows - ahead)
    assert len(torch.cat(made)) == complete
    # Rounding grows from block to block with the numbers themselves.
    bound = 1e-5 * (1 + float(expected.abs().max()))
    for found in (torch.cat(made), torch.cat(same)):
        assert complete == 0 or float((found - expected[:complete]).abs().max()) <= bound


@pytest.mark.parametrize("level", FP32_SETS)
@settings(deadline=None, max_examples=15)
@given(kind=KINDS, dilations=DILATIONS, chunks=CHUNKS)
@torch.no_grad()
def test_rows_do_not_depend_on_the_chunks(level: str, kind: str, dilations: list[int], chunks: list[int]) -> None:
    torch.manual_seed(0)
    stack = NativeStack(blocks_of(kind, 64, dilations), instruction_set=level)
    speaker, x = speaker_of(kind), torch.randn(sum(chunks), 64)
    by_chunks, at_once = stack.open(speaker), stack.open(speaker)
    assert torch.equal(torch.cat([by_chunks.push(chunk) for chunk in x.split(chunks)]), at_once.push(x))


@torch.no_grad()
def test_voices_share_what_is_packed_and_nothing_else() -> None:
    torch.manual_seed(0)
    blocks = blocks_of("of a speaker", 64, [1, -2])
    layers = Layers(native=True)
    ann, ben = (layers.stack(blocks, 64, torch.randn(SPEAKER)) for _ in range(2))
    assert len(layers._stacks) == 1
    x = torch.randn(10, 64)
    first = ann.push(x)
    assert not torch.allclose(first, ben.push(x))
    assert len(ann.push(x)) == 10


def test_what_the_kernel_has_no_form_of_is_left_to_pytorch() -> None:
    odd = blocks_of("plain", 20, [1])
    assert native_stack(odd) is None
    assert native_stack([]) is None
    assert native_stack(blocks_of("plain", 64, [1]) + blocks_of("modulated", 64, [1])) is None
    assert isinstance(Layers(native=True).stack(odd, 20), StreamedStack)
    assert isinstance(Layers().stack(blocks_of("plain", 64, [1]), 64), StreamedStack)


def test_what_does_not_fit_is_refused() -> None:
    stream = NativeStack(blocks_of("modulated", 64, [1])).open()
    with pytest.raises(ValueError, match="wrong rows"):
        stream.push(torch.zeros(3, 32))


@pytest.mark.parametrize("level", FP32_SETS)
@settings(deadline=None, max_examples=15)
@given(kind=KINDS, dilations=DILATIONS, seed=st.integers(0, 2**16))
@torch.no_grad()
def test_weights_of_16_bits_are_those_rounded_to_fp16(level: str, kind: str, dilations: list[int], seed: int) -> None:
    torch.manual_seed(seed)
    blocks, speaker, x = blocks_of(kind, 64, dilations), speaker_of(kind), torch.randn(30, 64)
    stack = NativeStack(blocks, half=True, instruction_set=level)
    assert stack.half == (level in native_engine.half_sets())
    made = stack.open(speaker).push(x)
    if stack.half:
        for block in blocks:
            products = [block.dilated, block.out if isinstance(block, ModulatedBlock) else block.pointwise]
            for product in products:
                product.weight.copy_(product.weight.half())
    expected = plain(blocks, x, speaker)[: len(made)]
    bound = 1e-5 * (1 + float(expected.abs().max())) if len(made) else 0  # rounding of sums, as above
    assert not len(made) or float((made - expected).abs().max()) <= bound


def test_weights_beyond_fp16_stay_fp32() -> None:
    blocks = blocks_of("plain", 64, [1])
    with torch.no_grad():
        blocks[0].dilated.weight[0, 0] = 1e5
    assert not NativeStack(blocks, half=True).half
