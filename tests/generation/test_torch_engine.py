from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rounding import fp32_error
from small_wavenets import make_wavenet

from vqspeech.generation import generate
from vqspeech.generation.torch_engine import TorchEngine, draw


@settings(deadline=None, max_examples=20)
@given(
    layers=st.integers(1, 7),
    cycle=st.integers(1, 4),
    kernel=st.integers(2, 4),
    residual=st.integers(1, 20),
    gate=st.integers(1, 20),
    streams=st.integers(1, 3),
    frames=st.integers(1, 4),
    hop=st.integers(1, 9),
)
def test_logits_equal_those_of_the_full_forward_pass(
    layers: int, cycle: int, kernel: int, residual: int, gate: int, streams: int, frames: int, hop: int
) -> None:
    wavenet = make_wavenet(layers=layers, cycle=cycle, kernel=kernel, residual=residual, gate=gate)
    wavenet.form = "plain"
    previous = torch.randint(wavenet.classes, (streams, frames * hop))
    conditioning = torch.randn(streams, frames, 5)
    with torch.no_grad():
        layers = wavenet.condition(conditioning)
        exact, bound = fp32_error(wavenet, previous, layers)
        logits = TorchEngine(wavenet).open(streams).score(layers, previous.numpy())
        for computed in (torch.from_numpy(logits), wavenet(previous, conditioning)):
            assert (computed - exact).abs().max() <= bound


def test_what_is_pushed_was_drawn_from_the_scores_of_the_drawn_samples() -> None:
    wavenet = make_wavenet()
    conditioning = wavenet.condition(torch.randn(2, 6, 5)).detach()
    uniforms = np.random.default_rng(0).random((2, 60), dtype=np.float32)
    classes = TorchEngine(wavenet).open(2).push(conditioning, uniforms)
    previous = np.concatenate([np.full((2, 1), wavenet.classes // 2), classes[:, :-1]], 1)
    logits = torch.from_numpy(TorchEngine(wavenet).open(2).score(conditioning, previous))
    again = torch.stack([draw(logits[:, t], torch.from_numpy(uniforms[:, t]), 1.0) for t in range(60)], 1)
    assert np.array_equal(again.numpy(), classes)


def test_drawn_classes_follow_the_softmax() -> None:
    logits = torch.randn(1, 16, generator=torch.Generator().manual_seed(0)) * 2
    count = 20_000
    uniforms = (torch.arange(count) + 0.5) / count
    for temperature in (1.0, 0.5):
        drawn = draw(logits.expand(count, -1), uniforms, temperature)
        shares = torch.bincount(drawn, minlength=16) / count
        torch.testing.assert_close(shares, torch.softmax(logits[0] / temperature, 0), atol=2e-4, rtol=0)
    assert (draw(logits.expand(count, -1), uniforms, 0.0) == logits.argmax()).all()


def test_a_class_of_no_probability_is_never_drawn() -> None:
    logits = torch.tensor([[-torch.inf, 0.0, -torch.inf, 0.0, -torch.inf]])
    uniforms = torch.tensor([0.0, 0.4999, 0.5, float(np.nextafter(np.float32(1), np.float32(0)))])
    assert draw(logits.expand(4, -1), uniforms, 1.0).tolist() == [1, 1, 3, 3]


def test_utterances_of_any_length_together_are_what_they_are_alone() -> None:
    wavenet = make_wavenet()
    frames = [torch.randn(n, 5) for n in (3, 0, 7, 7, 1)]
    together = generate(wavenet, frames, hop=8, seed=5, engine="torch")
    assert [len(classes) for classes in together] == [24, 0, 56, 56, 8]
    for sequence, classes in zip(frames, together, strict=True):
        assert np.array_equal(generate(wavenet, [sequence], hop=8, seed=5, engine="torch")[0], classes)


def test_the_seed_decides() -> None:
    wavenet = make_wavenet()
    frames = [torch.randn(8, 5)]
    first, again, other = (generate(wavenet, frames, hop=8, seed=seed, engine="torch")[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_pieces_are_what_the_whole_is() -> None:
    wavenet = make_wavenet()
    conditioning = wavenet.condition(torch.randn(2, 9, 5)).detach()
    uniforms = np.random.default_rng(0).random((2, 36), dtype=np.float32)
    whole = TorchEngine(wavenet).open(2).push(conditioning, uniforms)
    session = TorchEngine(wavenet).open(2)
    pieces = [session.push(conditioning[:, f : f + 3], uniforms[:, 4 * f : 4 * f + 12]) for f in range(0, 9, 3)]
    assert np.array_equal(np.concatenate(pieces, 1), whole)


def test_progress_reaches_the_total() -> None:
    seen: list[tuple[int, int]] = []
    generate(
        make_wavenet(),
        [torch.randn(2, 5), torch.randn(4, 5)],
        hop=4,
        engine="torch",
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen[-1] == (24, 24)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_temperature_reaches_the_engine(temperature: float) -> None:
    wavenet = make_wavenet()
    frames = [torch.randn(8, 5)]
    plain = generate(wavenet, frames, hop=8, engine="torch")[0]
    assert not np.array_equal(generate(wavenet, frames, hop=8, engine="torch", temperature=temperature)[0], plain)
