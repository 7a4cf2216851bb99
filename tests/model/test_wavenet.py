"""``vqspeech.model.wavenet``: two forms that compute the same, causality, and exactly the receptive field it claims."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from vqspeech.model.config import WaveNetConfig
from vqspeech.model.wavenet import WaveNet

CLASSES, CONDITION_CHANNELS = 16, 3
channels = st.integers(1, 5)


def make_wavenet(*, seed: int = 0, **changes: int) -> WaveNet:
    """A small WaveNet in float64, so that equal means equal up to 1e-9."""
    torch.manual_seed(seed)
    sizes = {"layers": 3, "cycle": 2, "kernel": 2, "residual": 4, "gate": 3, "skip": 5, "output": 6}
    config = WaveNetConfig(**(sizes | changes))
    return WaveNet(config, classes=CLASSES, condition_channels=CONDITION_CHANNELS).double()


def make_input(*, batch: int = 1, frames: int = 8, hop: int = 4) -> tuple[Tensor, Tensor]:
    previous = torch.randint(CLASSES, (batch, frames * hop))
    return previous, torch.randn(batch, frames, CONDITION_CHANNELS, dtype=torch.float64)


def other_class(classes: Tensor) -> Tensor:
    return (classes + CLASSES // 2) % CLASSES


@given(
    seed=st.integers(0, 1000),
    layers=st.integers(1, 5),
    cycle=st.integers(1, 4),
    kernel=st.integers(2, 4),
    residual=channels,
    gate=channels,
    skip=channels,
    output=channels,
    hop=st.integers(1, 7),
    frames=st.integers(1, 5),
    batch=st.integers(1, 3),
)
def test_both_forms_give_the_same_logits_and_gradients(
    seed: int, hop: int, frames: int, batch: int, **sizes: Any
) -> None:
    wavenet = make_wavenet(seed=seed, **sizes)
    previous, conditioning = make_input(batch=batch, frames=frames, hop=hop)
    conditioning.requires_grad_()
    results = {}
    weights = torch.randn(batch, frames * hop, CLASSES, dtype=torch.float64)
    for form in ("plain", "matrix"):
        wavenet.form = form  # type: ignore[assignment]
        logits = wavenet(previous, conditioning)
        assert logits.shape == (batch, frames * hop, CLASSES)
        parameters = [conditioning, *wavenet.parameters()]
        gradients = torch.autograd.grad((logits * weights).sum(), parameters, allow_unused=True)
        results[form] = [logits, *gradients]
    for name, plain, matrix in zip(
        ["logits", "frames", *dict(wavenet.named_parameters())], results["plain"], results["matrix"], strict=True
    ):
        if plain is None or matrix is None:
            # The residual of the last layer goes nowhere.
            assert name.startswith(f"residual.{sizes['layers'] - 1}")
        else:
            torch.testing.assert_close(matrix, plain, rtol=1e-9, atol=1e-9, msg=lambda text, n=name: f"{n}: {text}")


def test_a_layer_is_the_formula_of_the_docstring() -> None:
    wavenet = make_wavenet(layers=2, cycle=2, kernel=3)
    previous, frames = make_input(frames=5, hop=3)
    x = wavenet.embedding.weight[previous[0]]
    c, skip = wavenet.config, wavenet.skip.bias.clone()[None].repeat(15, 1)
    conditioning = wavenet.condition(frames)[0]
    for layer, dilation in enumerate((1, 2)):
        taps = wavenet.dilated[layer].weight.reshape(2 * c.gate, c.kernel, c.residual)
        z = torch.zeros(15, c.gate, dtype=torch.float64)
        for t in range(15):
            sums = conditioning[t // 3, layer]
            for k in range(c.kernel):
                at = t - (c.kernel - 1 - k) * dilation
                if at >= 0:
                    sums = sums + taps[:, k] @ x[at]
            z[t] = torch.tanh(sums[: c.gate]) * torch.sigmoid(sums[c.gate :])
        skip = skip + z @ wavenet.skip.weight[:, layer * c.gate : (layer + 1) * c.gate].t()
        x = x + z @ wavenet.residual[layer].weight.t() + wavenet.residual[layer].bias
    expected = wavenet.output(torch.relu(wavenet.hidden(torch.relu(skip))))
    torch.testing.assert_close(wavenet(previous, frames)[0], expected)


@pytest.mark.parametrize("form", ["plain", "matrix"])
@pytest.mark.parametrize("sample", [0, 5, 30])
def test_changing_a_sample_changes_no_prediction_up_to_its_own(form: str, sample: int) -> None:
    wavenet = make_wavenet()
    wavenet.form = form  # type: ignore[assignment]
    previous, frames = make_input()
    changed = previous.clone()
    # ``previous`` holds the sample before: sample s stands at s + 1 and must not be known to logits 0 to s.
    changed[:, sample + 1] = other_class(previous[:, sample + 1])
    before, after = wavenet(previous, frames), wavenet(changed, frames)
    assert torch.equal(before[:, : sample + 1], after[:, : sample + 1])
    assert not torch.equal(before[:, sample + 1], after[:, sample + 1])


@pytest.mark.parametrize("form", ["plain", "matrix"])
@pytest.mark.parametrize(
    ("layers", "cycle", "kernel", "field"), [(1, 1, 2, 2), (4, 4, 2, 16), (4, 2, 2, 7), (3, 3, 3, 15), (3, 2, 4, 13)]
)
def test_the_receptive_field_is_exactly_what_the_config_says(
    form: str, layers: int, cycle: int, kernel: int, field: int
) -> None:
    wavenet = make_wavenet(layers=layers, cycle=cycle, kernel=kernel)
    wavenet.form = form  # type: ignore[assignment]
    assert wavenet.config.receptive_field == field
    previous, frames = make_input(frames=10)
    changed = previous.clone()
    at = 10
    changed[:, at] = other_class(previous[:, at])
    differs = (wavenet(previous, frames) != wavenet(changed, frames)).any(-1)[0].nonzero()[:, 0]
    assert differs.min() == at
    assert differs.max() == at + field - 1


@pytest.mark.parametrize("form", ["plain", "matrix"])
@pytest.mark.parametrize("frame", [0, 3, 7])
def test_a_conditioning_frame_changes_no_sample_before_its_own(form: str, frame: int) -> None:
    wavenet = make_wavenet()
    wavenet.form = form  # type: ignore[assignment]
    previous, frames = make_input()
    changed = frames.clone()
    changed[:, frame] += 1
    before, after = wavenet(previous, frames), wavenet(previous, changed)
    assert torch.equal(before[:, : frame * 4], after[:, : frame * 4])
    assert not torch.equal(before[:, frame * 4], after[:, frame * 4])


@pytest.mark.parametrize("form", ["plain", "matrix"])
def test_bf16_stays_close_to_fp32(form: str) -> None:
    wavenet = make_wavenet(layers=8, cycle=4, residual=16, gate=16, skip=32, output=32).float()
    wavenet.form = form  # type: ignore[assignment]
    previous, frames = make_input(batch=2, frames=16, hop=16)
    exact = wavenet(previous, frames.float()).log_softmax(-1)
    with torch.autocast("cpu", torch.bfloat16):
        rough = wavenet(previous, frames.float()).float().log_softmax(-1)
    divergence = (exact.exp() * (exact - rough)).sum(-1)
    assert divergence.mean() < 1e-3


@torch.no_grad()
def test_centred_logits_mean_the_same() -> None:
    wavenet = make_wavenet()
    wavenet.output.weight.add_(torch.randn(1, 6))
    wavenet.output.bias.add_(3)
    previous, frames = make_input()
    before = wavenet(previous, frames)
    wavenet.centre_logits()
    after = wavenet(previous, frames)
    assert before.mean(-1).abs().max() > 1
    torch.testing.assert_close(after.mean(-1), torch.zeros_like(after[..., 0]))
    torch.testing.assert_close(after.log_softmax(-1), before.log_softmax(-1))
