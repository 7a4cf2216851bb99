"""A WaveNet of several bands: both forms, the order in which a step is drawn, causality, gradients of all weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from vqspeech.model.calibration import measure_activation_peaks
from vqspeech.model.config import WaveNetConfig
from vqspeech.model.wavenet import WaveNet

CLASSES, CONDITION_CHANNELS = 16, 3
SIZES = {"layers": 3, "cycle": 2, "kernel": 2, "residual": 9, "gate": 3, "skip": 5, "output": 6, "bands": 4}


def make_wavenet(*, seed: int = 0, **changes: int) -> WaveNet:
    """A small one in float64, so that equal means equal up to 1e-9; all weights lively."""
    torch.manual_seed(seed)
    config = WaveNetConfig(**(SIZES | changes))
    wavenet = WaveNet(config, classes=CLASSES, condition_channels=CONDITION_CHANNELS).double()
    if wavenet.below is not None:
        torch.nn.init.normal_(wavenet.below.weight)
    return wavenet


def make_input(bands: int = 4, *, batch: int = 1, frames: int = 6, hop: int = 4) -> tuple[Tensor, Tensor, Tensor]:
    """``previous``, ``frames``, ``current`` of one sequence of classes."""
    classes = torch.randint(CLASSES, (batch, frames * hop + 1, bands))
    conditioning = torch.randn(batch, frames, CONDITION_CHANNELS, dtype=torch.float64)
    return classes[:, :-1], conditioning, classes[:, 1:]


@given(
    seed=st.integers(0, 1000),
    bands=st.integers(2, 5),
    layers=st.integers(1, 4),
    kernel=st.integers(2, 3),
    residual=st.integers(1, 12),
    hop=st.integers(1, 5),
    batch=st.integers(1, 3),
)
def test_both_forms_give_the_same_logits_and_gradients(
    seed: int, bands: int, hop: int, batch: int, **sizes: Any
) -> None:
    wavenet = make_wavenet(seed=seed, bands=bands, **sizes)
    previous, frames, current = make_input(bands, batch=batch, hop=hop)
    results = {}
    weights = torch.randn(batch, 6 * hop, bands, CLASSES, dtype=torch.float64)
    names = dict(wavenet.named_parameters())
    for form in ("plain", "matrix"):
        wavenet.form = form  # type: ignore[assignment]
        logits = wavenet(previous, frames, current)
        assert logits.shape == weights.shape
        gradients = torch.autograd.grad((logits * weights).sum(), list(names.values()), allow_unused=True)
        results[form] = [logits, *gradients]
    for name, plain, matrix in zip(["logits", *names], results["plain"], results["matrix"], strict=True):
        if plain is None or matrix is None:
            assert name.startswith(f"residual.{sizes['layers'] - 1}")
        else:
            torch.testing.assert_close(matrix, plain, rtol=1e-9, atol=1e-9, msg=lambda text, n=name: f"{n}: {text}")


def test_a_single_band_is_the_wavenet_of_old() -> None:
    """Its weights have the names, shapes and first values that they always had."""
    wavenet = make_wavenet(bands=1, residual=10)
    shapes = {name: tuple(value.shape) for name, value in wavenet.state_dict().items()}
    assert shapes["embedding.weight"] == (CLASSES, 10)
    assert shapes["hidden.weight"] == (6, 5)
    assert shapes["output.weight"] == (CLASSES, 6)
    assert shapes["activation_peaks"] == (5,)
    assert not any(name.startswith("below") for name in shapes)
    ramp = torch.linspace(-1, 1, CLASSES).double()
    torch.testing.assert_close(wavenet.embedding.weight[:, 0], 1.5 * ramp, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("form", ["plain", "matrix"])
@pytest.mark.parametrize("band", [0, 2, 3])
def test_a_class_reaches_the_higher_bands_of_its_step_and_all_bands_of_later_ones(form: str, band: int) -> None:
    wavenet = make_wavenet()
    wavenet.form = form  # type: ignore[assignment]
    classes = torch.randint(CLASSES, (1, 25, 4))
    changed = classes.clone()
    step = 10  # of the predictions: classes[:, step + 1]
    changed[:, step + 1, band] = (classes[:, step + 1, band] + CLASSES // 2) % CLASSES
    frames = torch.randn(1, 6, CONDITION_CHANNELS, dtype=torch.float64)
    before, after = (wavenet(c[:, :-1], frames, c[:, 1:]) for c in (classes, changed))
    differs = (before != after).any(-1)[0]  # (step, band)
    assert not differs[:step].any()
    assert differs[step].tolist() == [other > band for other in range(4)]
    assert differs[step + 1].all()
    # Nothing beyond the receptive field, which the config counts in samples.
    field = wavenet.config.receptive_field // 4
    assert differs[step + field].all()
    assert not differs[step + field + 1 :].any()


def test_peaks_are_of_every_band() -> None:
    wavenet = make_wavenet()
    batches = [make_input(batch=2) for _ in range(2)]
    peaks = measure_activation_peaks(wavenet, batches)
    assert peaks.shape == (3 + 1 + 4,)
    # Of the hidden layers by the formula: relu(hidden_b(h) + sum of below_ab).
    largest = torch.zeros(4, dtype=torch.float64)
    for previous, frames, current in batches:
        sums: list[Tensor] = []
        hook = wavenet.skip.register_forward_hook(lambda _, __, y, kept=sums: kept.append(y))
        wavenet(previous, frames, current)
        hook.remove()
        hidden = wavenet.hidden(sums[0].relu()).unflatten(-1, (4, 6))
        for band in range(4):
            total = hidden[:, :, band]
            for lower in range(band):
                total = total + wavenet.below_table(lower, band)[current[:, :, lower]]
            largest[band] = max(largest[band], total.relu().max())
    torch.testing.assert_close(peaks[4:].double(), largest, rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_centred_logits_mean_the_same() -> None:
    wavenet = make_wavenet()
    wavenet.output.weight.add_(torch.randn(1, 6))
    arguments = make_input()
    before = wavenet(*arguments)
    wavenet.centre_logits()
    after = wavenet(*arguments)
    torch.testing.assert_close(after.mean(-1), torch.zeros_like(after[..., 0]))
    torch.testing.assert_close(after.log_softmax(-1), before.log_softmax(-1))


def test_bands_that_depend_on_each_other_are_learnt_jointly() -> None:
    """Of two bands that are always equal and otherwise random, the second costs nothing once the first is drawn."""
    torch.manual_seed(0)
    wavenet = make_wavenet(bands=2, residual=8, output=32, skip=16).float()
    optimizer = torch.optim.Adam(wavenet.parameters(), lr=0.03)
    frames = torch.zeros(4, 4, CONDITION_CHANNELS)

    def nats() -> Tensor:
        classes = torch.randint(CLASSES, (4, 65, 1)).expand(-1, -1, 2)
        logits = wavenet(classes[:, :-1], frames, classes[:, 1:])
        each = torch.nn.functional.cross_entropy(logits.flatten(0, 2), classes[:, 1:].flatten(), reduction="none")
        return each.view(-1, 2).mean(0)

    for _ in range(150):
        optimizer.zero_grad()
        nats().sum().backward()
        optimizer.step()
    first, second = nats().tolist()
    assert first > 2.5  # log 16 = 2.77
    assert second < 0.3
