"""``vqspeech.model.encoder``: one vector per code whatever the strides, its receptive field, normalisation."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from small_models import make_config

from vqspeech.model.encoder import Encoder

FRONT_ENDS: list[dict[str, Any]] = [
    {"strides": [2] * 6},
    {"strides": [4, 4, 4]},
    {"strides": [2] * 7},
    {"strides": [5, 4, 4, 2]},
    {"strides": [3, 5, 7]},
    {"strides": [2, 2, 2, 2, 2, 4, 5]},
    {"front_end": "log-mel", "mel_hop": 80, "strides": [2]},
    {"front_end": "log-mel", "mel_hop": 160, "strides": [2, 2]},
    {"front_end": "log-mel", "mel_hop": 64, "strides": [1]},
    {"front_end": "log-mel", "mel_hop": 45, "strides": [3]},
]
LOG_MEL: dict[str, Any] = FRONT_ENDS[7]
HOPS = [64, 64, 128, 160, 105, 640, 160, 640, 64, 135]


def make_encoder(**changes: Any) -> tuple[Encoder, int]:
    """An encoder and its hop."""
    torch.manual_seed(0)
    config = make_config(encoder=changes, conditioner={"hop": 1})
    return Encoder(config.encoder, config.audio.sample_rate).eval(), config.code_hop


@pytest.mark.parametrize(("front_end", "hop"), list(zip(FRONT_ENDS, HOPS, strict=True)))
@pytest.mark.parametrize("codes", [1, 2, 7])
def test_there_is_one_vector_for_each_code_hop(front_end: dict[str, Any], hop: int, codes: int) -> None:
    encoder, code_hop = make_encoder(**front_end)
    assert code_hop == hop
    assert encoder(torch.randn(2, codes * hop)).shape == (2, 5, codes)


@given(strides=st.lists(st.integers(1, 7), min_size=1, max_size=4), codes=st.integers(1, 4))
def test_any_strides_will_do(strides: list[int], codes: int) -> None:
    encoder, hop = make_encoder(strides=strides)
    assert hop == math.prod(strides)
    assert encoder(torch.randn(1, codes * hop)).shape == (1, 5, codes)


@pytest.mark.parametrize("front_end", FRONT_ENDS)
@pytest.mark.parametrize("dilations", [[], [1, 3]])
def test_nothing_beyond_the_context_reaches_a_code(front_end: dict[str, Any], dilations: list[int]) -> None:
    encoder, hop = make_encoder(**front_end, dilations=dilations)
    around = -(-encoder.context // hop) + 1
    waveform = torch.randn(1, (2 * around + 1) * hop)
    first, end = around * hop, (around + 1) * hop
    changed = waveform.clone()
    changed[:, : first - encoder.context] = 3.0
    changed[:, end + encoder.context :] = -3.0
    assert not torch.equal(changed, waveform)
    before, after = encoder(waveform)[:, :, around], encoder(changed)[:, :, around]
    torch.testing.assert_close(after, before, rtol=1e-5, atol=1e-5)
    changed = waveform.clone()
    changed[:, first:end] *= -2
    assert not torch.equal(encoder(changed)[:, :, around], before)


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_a_code_looks_as_far_to_the_left_as_to_the_right(front_end: dict[str, Any]) -> None:
    """What frame times rely on. The window of an odd stride is half a sample of its input off centre."""
    encoder, hop = make_encoder(**front_end, dilations=[])
    around = -(-encoder.context // hop) + 1
    waveform = torch.randn(1, (2 * around + 1) * hop, requires_grad=True)
    encoder(waveform)[0, :, around].abs().sum().backward()
    assert waveform.grad is not None
    inputs = waveform.grad[0].nonzero()[:, 0]
    off, step = 1.0, encoder.config.mel_hop if encoder.config.front_end == "log-mel" else 1
    for stride in encoder.config.strides:
        off += step / 2 if stride % 2 else 0
        step *= stride
    assert abs((inputs.min() + inputs.max() + 1) / 2 - (around + 0.5) * hop) <= off


@pytest.mark.parametrize("training", [True, False])
def test_frame_norm_gives_each_vector_zero_mean_and_unit_variance(training: bool) -> None:
    encoder, hop = make_encoder(frame_norm=True, dimension=16)
    z = encoder.train(training)(torch.randn(2, 9 * hop))
    torch.testing.assert_close(z.mean(1), torch.zeros(2, 9), atol=1e-5, rtol=0)
    torch.testing.assert_close(z.var(1, correction=0), torch.ones(2, 9), atol=1e-2, rtol=0)


@pytest.mark.parametrize("norm", [{}, {"frame_norm": True}, {"instance_norm": True}])
def test_training_and_use_hear_the_same(norm: dict[str, bool]) -> None:
    encoder, hop = make_encoder(**norm)
    waveform = torch.randn(2, 9 * hop)
    training = encoder.train()(waveform)
    encoder(torch.randn(2, 9 * hop) * 5)
    assert torch.equal(encoder.eval()(waveform), training)


@pytest.mark.parametrize("norm", [{}, {"frame_norm": True}])
def test_frame_norm_sees_one_frame_alone(norm: dict[str, bool]) -> None:
    encoder, hop = make_encoder(**norm, dilations=[])
    waveform = torch.randn(2, 20 * hop)
    louder = waveform.clone()
    louder[1] *= 10
    louder[0, 12 * hop :] *= 10
    torch.testing.assert_close(encoder(louder)[0, :, :10], encoder(waveform)[0, :, :10])


def test_instance_norm_takes_out_the_scale_and_offset_of_each_channel() -> None:
    encoder, hop = make_encoder(instance_norm=True, dilations=[1])
    waveform = 20 * torch.randn(1, 40 * hop)
    before = encoder(waveform)
    block = encoder.blocks[0]
    scale, offset = torch.rand(6) * 3 + 0.5, torch.randn(6)
    block.register_forward_hook(lambda _module, _inputs, x: x * scale[:, None] + offset[:, None])
    torch.testing.assert_close(encoder(waveform), before, rtol=1e-3, atol=1e-3)


def test_without_instance_norm_they_are_heard() -> None:
    encoder, hop = make_encoder(instance_norm=False, dilations=[1])
    waveform = torch.randn(1, 40 * hop)
    before = encoder(waveform)
    encoder.blocks[0].register_forward_hook(lambda _module, _inputs, x: 2 * x)
    assert (encoder(waveform) - before).abs().max() > 0.01


def test_instance_norm_is_that_of_torch() -> None:
    encoder, hop = make_encoder(instance_norm=True, dilations=[])
    waveform = torch.randn(2, 40 * hop)
    x = waveform[:, None]
    for strided in encoder.strided:
        x = F.leaky_relu(strided(x), 0.1)
    torch.testing.assert_close(encoder(waveform), encoder.projection(F.instance_norm(x)))


def test_input_norm_does_not_hear_the_microphone() -> None:
    encoder, hop = make_encoder(**LOG_MEL, input_norm=True)
    waveform = 20 * torch.randn(2, 40 * hop)
    before = encoder(waveform)
    # Far above the floor of the logarithm, another gain adds to every band what it always adds.
    torch.testing.assert_close(encoder(8 * waveform), before, rtol=1e-3, atol=1e-3)
    plain, _ = make_encoder(**LOG_MEL)
    assert (plain(8 * waveform) - plain(waveform)).abs().max() > 0.02


def test_input_norm_does_with_a_single_code() -> None:
    encoder, hop = make_encoder(**LOG_MEL, input_norm=True)
    assert torch.isfinite(encoder(torch.randn(1, hop))).all()


def test_instance_norm_does_with_a_single_code() -> None:
    encoder, hop = make_encoder(instance_norm=True)
    assert torch.isfinite(encoder(torch.randn(1, hop))).all()


@pytest.mark.parametrize("front_end", FRONT_ENDS)
@pytest.mark.parametrize("dilations", [[], [2], [-1], [1, -3]])
def test_a_code_depends_on_samples_within_its_reach_alone(front_end: dict[str, Any], dilations: list[int]) -> None:
    encoder, hop = make_encoder(**front_end, dilations=dilations)
    past, ahead = encoder.reach
    around = -(-max(past, ahead) // hop) + 1
    waveform = torch.randn(1, (2 * around + 1) * hop, requires_grad=True)
    encoder(waveform)[0, :, around].abs().sum().backward()
    assert waveform.grad is not None
    inputs = waveform.grad[0].nonzero()[:, 0]
    assert inputs.min() >= around * hop - past
    assert inputs.max() < (around + 1) * hop + ahead
