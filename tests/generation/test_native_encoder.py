"""The compiled residual blocks: those of PyTorch up to rounding on every processor level, whatever comes with them."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import vqspeech
from vqspeech.generation import native_encoder, native_engine
from vqspeech.generation.native_encoder import NativeBlocks, native_blocks
from vqspeech.model.packed_encoder import Block, PackedEncoder
from vqspeech.model.residual import ModulatedBlock, ResidualBlock

if native_encoder.EncoderBlocks is None or native_engine.MISSING:
    pytest.skip("the compiled engine was not built, or is of an earlier version", allow_module_level=True)

FP32_SETS = native_engine.instruction_sets("fp32")
SAMPLE = Path(__file__).parents[2] / "egs/quickstart/sample"


def blocks_of(kind: str, channels: int, dilations: list[int]) -> list[ModulatedBlock | ResidualBlock]:
    made: list[ModulatedBlock | ResidualBlock] = []
    for dilation in dilations:
        made.append(ModulatedBlock(channels, dilation) if kind == "modulated" else ResidualBlock(channels, dilation))
        for parameter in made[-1].parameters():  # none of them zeros, as fresh biases are
            nn.init.normal_(parameter, std=0.5 * channels**-0.5)
    return made


@torch.no_grad()
def plain(blocks: list[ModulatedBlock | ResidualBlock], x: Tensor) -> Tensor:
    """``(rows, channels)`` -> the same shape, by the blocks themselves in float64."""
    x = x.double()
    for block in blocks:
        exact = block.double()
        x = exact(x[None])[0] if isinstance(exact, ModulatedBlock) else exact(x.t()[None])[0].t()
        block.float()
    return x


@pytest.mark.parametrize("level", FP32_SETS)
@settings(deadline=None, max_examples=20)
@given(
    kind=st.sampled_from(["modulated", "plain"]),
    channels=st.sampled_from([32, 64, 96, 160]),
    dilations=st.lists(st.integers(-9, 9).filter(bool), min_size=1, max_size=4),
    lengths=st.lists(st.integers(1, 120), min_size=1, max_size=3),
    seed=st.integers(0, 2**16),
)
def test_the_blocks_are_those_of_pytorch(
    level: str, kind: str, channels: int, dilations: list[int], lengths: list[int], seed: int
) -> None:
    torch.manual_seed(seed)
    blocks = blocks_of(kind, channels, dilations)
    compiled = NativeBlocks([Block(block) for block in blocks], instruction_set=level)
    given_rows = [torch.randn(length, channels) for length in lengths]
    made = [rows.clone() for rows in given_rows]
    compiled(made)
    for rows, got in zip(given_rows, made, strict=True):
        expected = plain(blocks, rows)
        assert (got - expected).abs().max() <= 1e-5 * expected.abs().max()
        alone = rows.clone()
        compiled([alone])
        assert torch.equal(alone, got)


def test_a_width_of_no_whole_vectors_is_left_to_pytorch() -> None:
    assert native_blocks([Block(ModulatedBlock(20, 1))]) is None
    assert native_blocks([]) is None


@pytest.mark.parametrize("name", [None, "units"])
def test_the_codes_of_packaged_models_are_those_of_pytorch(name: str | None) -> None:
    model = vqspeech.load(name)
    network = model.network
    compiled, reference = PackedEncoder(network, compiled=native_blocks), PackedEncoder(network)
    assert compiled._compiled is not None
    waveforms = []
    for path in sorted(SAMPLE.glob("*.flac")):
        waveform = model.read(path)
        waveform = waveform[: len(waveform) // network.config.code_hop * network.config.code_hop]
        waveforms.append(network.companding.preemphasise(torch.from_numpy(waveform)[None])[0])
    together = compiled.codes(waveforms)
    expected = reference.codes(waveforms)
    for waveform, codes, plainly in zip(waveforms, together, expected, strict=True):
        assert torch.equal(compiled.codes([waveform])[0], codes)
        # Rounding decides where two codes are as near.
        assert (codes != plainly).double().mean() <= 1e-3


def test_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    compiled = NativeBlocks([Block(block) for block in blocks_of("modulated", 64, [1, -2, 4])])
    rows = [torch.randn(length, 64) for length in (50, 3, 17, 90)]
    alone = [one.clone() for one in rows]
    for one in alone:
        compiled([one])
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    compiled(rows)
    assert all(map(torch.equal, rows, alone))


def test_a_model_that_has_encoded_can_be_sent_to_another_process() -> None:
    model = vqspeech.load("units")
    noise = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    codes = model.encode(noise)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).encode(noise), codes)


def test_rows_of_another_width_are_refused() -> None:
    compiled = NativeBlocks([Block(ModulatedBlock(32, 1))])
    with pytest.raises(ValueError, match="wrong rows"):
        compiled([torch.zeros(4, 64)])
