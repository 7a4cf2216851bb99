"""Generation with a decoder of several bands: engines against the reference, streams, whole utterances."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rounding import fp32_error
from small_vqvaes import CODES, make_network
from small_wavenets import make_wavenet
from torch import Tensor

from vqspeech.generation import Generator, generate, make_engine, native_engine
from vqspeech.generation.conditioning import ConditioningPlan
from vqspeech.generation.native_engine import NativeEngine
from vqspeech.generation.synthesis import synthesise
from vqspeech.generation.torch_engine import TorchEngine, draw
from vqspeech.model.calibration import measure_activation_peaks
from vqspeech.model.wavenet import WaveNet

needs_native = pytest.mark.skipif(bool(native_engine.MISSING), reason="the compiled engine was not built")
AVAILABLE = native_engine.available()


def make_input(wavenet: WaveNet, *, streams: int, frames: int, hop: int) -> tuple[Tensor, Tensor, Tensor]:
    """``previous``, conditioning of all layers, ``current``; ``hop`` in steps."""
    generator = torch.Generator().manual_seed(1)
    shape = (streams, frames * hop + 1, wavenet.config.bands)
    classes = torch.randint(wavenet.classes, shape, generator=generator)
    layers = wavenet.condition(torch.randn(streams, frames, 5, generator=generator)).detach()
    return classes[:, :-1], layers, classes[:, 1:]


def calibrated(wavenet: WaveNet) -> WaveNet:
    classes = torch.randint(wavenet.classes, (6, 401, wavenet.config.bands))
    measure_activation_peaks(wavenet, [(classes[:, :-1], torch.randn(6, 10, 5), classes[:, 1:])])
    return wavenet


@given(bands=st.integers(2, 5), kernel=st.integers(2, 3), streams=st.integers(1, 3), hop=st.integers(1, 5))
def test_the_reference_is_as_exact_as_fp32_can_be(bands: int, kernel: int, streams: int, hop: int) -> None:
    wavenet = make_wavenet(bands=bands, kernel=kernel)
    previous, layers, current = make_input(wavenet, streams=streams, frames=4, hop=hop)
    exact, bound = fp32_error(wavenet, previous, layers, current)
    logits = TorchEngine(wavenet).open(streams).score(layers, previous.numpy(), current.numpy())
    assert logits.shape == (streams, 4 * hop, bands, wavenet.classes)
    for computed in (torch.from_numpy(logits), wavenet.logits(previous, layers, current)):
        assert (computed - exact).abs().max() <= bound


def test_what_is_pushed_was_drawn_from_the_scores_of_the_drawn_classes() -> None:
    wavenet = make_wavenet(bands=3)
    layers = make_input(wavenet, streams=2, frames=6, hop=5)[1]
    uniforms = np.random.default_rng(0).random((2, 90), dtype=np.float32)
    classes = TorchEngine(wavenet).open(2).push(layers, uniforms)
    assert classes.shape == (2, 30, 3)
    previous = np.concatenate([np.full((2, 1, 3), wavenet.classes // 2), classes[:, :-1]], 1)
    logits = torch.from_numpy(TorchEngine(wavenet).open(2).score(layers, previous, classes))
    again = draw(logits.flatten(0, 2), torch.from_numpy(uniforms).flatten(), 1.0)
    assert np.array_equal(again.view(2, 30, 3).numpy(), classes)


@needs_native
@pytest.mark.parametrize("level", [level for level, precision in AVAILABLE if precision == "fp32"])
@settings(max_examples=15)
@given(
    bands=st.integers(2, 5),
    layers=st.integers(1, 5),
    kernel=st.integers(2, 3),
    residual=st.integers(1, 40),
    gate=st.integers(1, 40),
    skip=st.integers(1, 40),
    output=st.integers(1, 40),
    classes=st.integers(2, 300),
    streams=st.integers(1, 9),
    threads=st.integers(1, 2),
)
def test_the_compiled_engine_is_as_exact_as_fp32_can_be(
    level: str, bands: int, layers: int, kernel: int, residual: int, gate: int, skip: int, output: int, classes: int,
    streams: int, threads: int,
) -> None:  # fmt: skip
    wavenet = make_wavenet(
        bands=bands, layers=layers, kernel=kernel, residual=residual, gate=gate, skip=skip, output=output,
        classes=classes,
    )  # fmt: skip
    previous, conditioning, current = make_input(wavenet, streams=streams, frames=3, hop=5)
    exact, bound = fp32_error(wavenet, previous, conditioning, current)
    engine = NativeEngine(wavenet, threads=threads, instruction_set=level)
    logits = engine.open(streams).score(conditioning, previous.numpy(), current.numpy())
    assert np.abs(logits - exact.numpy()).max() <= bound


@needs_native
@pytest.mark.parametrize(("level", "precision"), AVAILABLE)
def test_few_bits_stay_close_in_every_band(level: str, precision: native_engine.Precision) -> None:
    wavenet = calibrated(make_wavenet(bands=4, residual=32, gate=32, skip=48, output=40))
    previous, layers, current = make_input(wavenet, streams=3, frames=6, hop=16)
    exact, _ = fp32_error(wavenet, previous, layers, current)
    engine = NativeEngine(wavenet, precision=precision, instruction_set=level)
    got = torch.from_numpy(engine.open(3).score(layers, previous.numpy(), current.numpy())).double().log_softmax(-1)
    expected = exact.log_softmax(-1)
    divergence = (expected.exp() * (expected - got)).sum(-1).mean((0, 1))  # of each band
    # Random weights are harsher than trained ones.
    assert divergence.max() <= {"fp32": 1e-8, "bf16": 1e-3, "int8": 3e-2}[precision]


@needs_native
@pytest.mark.parametrize(("level", "precision"), AVAILABLE)
def test_samples_do_not_depend_on_streams_threads_or_calls(level: str, precision: native_engine.Precision) -> None:
    wavenet = calibrated(make_wavenet(bands=4, layers=8, cycle=5, residual=24, gate=40, skip=50))
    streams, frames, hop = 9, 6, 5
    layers = make_input(wavenet, streams=streams, frames=frames, hop=hop)[1]
    uniforms = np.random.default_rng(0).random((streams, frames * hop * 4), dtype=np.float32)

    def drawn(chosen: slice, threads: int, piece: int) -> np.ndarray:
        session = NativeEngine(wavenet, precision=precision, threads=threads, instruction_set=level).open(
            len(layers[chosen])
        )
        calls = [
            session.push(layers[chosen, f : f + piece], uniforms[chosen, f * hop * 4 : (f + piece) * hop * 4])
            for f in range(0, frames, piece)
        ]
        return np.concatenate(calls, 1)

    whole = drawn(slice(None), 1, frames)
    if precision == "fp32":
        assert np.array_equal(whole, TorchEngine(wavenet).open(streams).push(layers, uniforms))
    for threads, piece in ((1, 1), (2, 2), (3, 3)):
        assert np.array_equal(drawn(slice(None), threads, piece), whole)
    for threads in (1, 2):
        assert np.array_equal(drawn(slice(4, 5), threads, 2), whole[4:5])


@needs_native
def test_what_does_not_fit_is_refused() -> None:
    wavenet = make_wavenet(bands=4)
    previous, layers, current = make_input(wavenet, streams=1, frames=2, hop=3)
    session = NativeEngine(wavenet).open(1)
    with pytest.raises(ValueError, match="whole frames"):
        session.push(layers, np.zeros((1, 23), np.float32))
    with pytest.raises(ValueError, match="wrong classes"):
        session.score(layers, previous.numpy())
    with pytest.raises(ValueError, match="no such class"):
        session.score(layers, previous.numpy(), np.full_like(current.numpy(), wavenet.classes))


def test_utterances_of_any_length_together_are_what_they_are_alone() -> None:
    wavenet = make_wavenet(bands=2)
    frames = [torch.randn(n, 5) for n in (3, 0, 7, 7, 1)]
    together = generate(wavenet, frames, hop=8, seed=5)
    assert [classes.shape for classes in together] == [(12, 2), (0, 2), (28, 2), (28, 2), (4, 2)]
    for sequence, classes in zip(frames, together, strict=True):
        assert np.array_equal(generate(wavenet, [sequence], hop=8, seed=5)[0], classes)


@pytest.mark.parametrize("bands", [2, 4])
def test_a_generator_speaks_what_is_spoken_at_once(bands: int) -> None:
    network = make_network(bands=bands)
    codes = list(range(CODES))
    engine = make_engine(network.decoder)
    with torch.no_grad():
        plan = ConditioningPlan(network, torch.tensor(codes), network.voice({1: 1.0}))
        whole = synthesise(network, [plan], engine=engine, seed=3)[0]
    generator = Generator(network, 1, seed=3, engine=engine)
    pieces = [generator.push(code) for code in codes]
    came = sum(len(piece) for piece in pieces)
    assert came == (len(codes) - generator.delay) * network.config.code_hop - network.companding.bank.overlap
    pieces.append(generator.finish())
    assert len(whole) == len(codes) * network.config.code_hop
    np.testing.assert_allclose(np.concatenate(pieces), whole, atol=1e-6)


def test_a_long_utterance_is_cut_and_runs_together() -> None:
    network = make_network(mel_bands=5, bands=4)
    codes = torch.from_numpy(np.random.default_rng(0).integers(0, CODES, 20_000))
    plan = ConditioningPlan(network, codes, network.voice({0: 1.0}))
    waveform = synthesise(network, [plan], engine=make_engine(network.decoder), seed=3, post_filter=0.5)[0]
    assert len(waveform) == len(codes) * network.config.code_hop
    assert np.isfinite(waveform).all()
    parts = [waveform[start : start + 4000].std() for start in range(0, len(waveform) - 4000, 4000)]
    assert min(parts) > 0.3 * max(parts)
