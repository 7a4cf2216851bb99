"""``vqspeech.model.residual``: blocks reach as far as their signed dilations say, and no further."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from vqspeech.model.residual import ModulatedBlock, ResidualBlock, reach

CHANNELS, TIME = 4, 40
STACKS = [[1], [-1], [3, -2], [1, 2, -4], [-3, -3]]


def stack(kind: str, dilations: list[int]) -> nn.Module:
    torch.manual_seed(0)
    if kind == "plain":
        return nn.Sequential(*(ResidualBlock(CHANNELS, dilation) for dilation in dilations))
    return nn.Sequential(*(ModulatedBlock(CHANNELS, dilation) for dilation in dilations))


def apply(kind: str, blocks: nn.Module, x: Tensor) -> Tensor:
    """``(time, channels)`` -> the same; the two kinds differ in their layout."""
    return blocks(x.t()[None])[0].t() if kind == "plain" else blocks(x[None])[0]


@pytest.mark.parametrize("kind", ["plain", "modulated"])
@pytest.mark.parametrize("dilations", STACKS)
def test_an_input_changes_outputs_within_the_reach_alone(kind: str, dilations: list[int]) -> None:
    blocks = stack(kind, dilations)
    past, ahead = reach(dilations)
    x = torch.randn(TIME, CHANNELS)
    changed = x.clone()
    changed[20] += torch.randn(CHANNELS)
    differs = (apply(kind, blocks, changed) - apply(kind, blocks, x)).abs().amax(1) > 1e-6
    expected = torch.zeros(TIME, dtype=torch.bool)
    expected[20 - ahead : 20 + past + 1] = True
    assert not differs[~expected].any()
    assert differs[20 - ahead]
    assert differs[20 + past]


def test_a_modulated_block_is_its_formula() -> None:
    torch.manual_seed(1)
    block = ModulatedBlock(CHANNELS, -2, speaker_dimension=3)
    nn.init.normal_(block.scale_shift)
    x, speaker = torch.randn(2, 9, CHANNELS), torch.randn(2, 3)
    assert block.modulation is not None
    scale, shift = (block.scale_shift + speaker @ block.modulation.weight.t()).split(CHANNELS, 1)
    mean, deviation = x.mean(2, keepdim=True), x.std(2, keepdim=True, correction=0)
    y = (x - mean) / (deviation.square() + 1e-5).sqrt() * (1 + scale[:, None]) + shift[:, None]
    out = torch.empty_like(x)
    for time in range(9):
        taps = [y[:, at] if at >= 0 else torch.zeros(2, CHANNELS) for at in (time - 4, time - 2, time)]
        hidden = nn.functional.gelu(block.dilated(torch.cat(taps, 1)), approximate="tanh")
        out[:, time] = x[:, time] + block.out(hidden)
    torch.testing.assert_close(block(x, speaker), out)
