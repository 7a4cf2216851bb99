from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rounding import fp32_error
from small_wavenets import make_wavenet
from torch import Tensor

from vqspeech.errors import InputError
from vqspeech.generation import describe_engine, generate, make_engine, native_engine
from vqspeech.generation.engine import Precision
from vqspeech.generation.native_engine import NativeEngine
from vqspeech.generation.torch_engine import TorchEngine
from vqspeech.model.calibration import measure_activation_peaks
from vqspeech.model.wavenet import WaveNet

pytestmark = pytest.mark.skipif(bool(native_engine.MISSING), reason="the compiled engine was not built")

AVAILABLE = native_engine.available()
FP32_SETS = [level for level, precision in AVAILABLE if precision == "fp32"]


def random_input(wavenet: WaveNet, streams: int, frames: int, hop: int) -> tuple[Tensor, Tensor]:
    """Random classes ``(streams, frames x hop)`` and random conditioning of all layers."""
    generator = torch.Generator().manual_seed(1)
    previous = torch.randint(wavenet.classes, (streams, frames * hop), generator=generator)
    return previous, wavenet.condition(torch.randn(streams, frames, 5, generator=generator)).detach()


def scores(wavenet: WaveNet, engine: NativeEngine | TorchEngine, streams: int, frames: int, hop: int) -> Tensor:
    """Logits of random input, the same for every engine; float64."""
    previous, layers = random_input(wavenet, streams, frames, hop)
    return torch.from_numpy(engine.open(streams).score(layers, previous.numpy())).double()


def calibrated(wavenet: WaveNet) -> WaveNet:
    batches = [(torch.randint(wavenet.classes, (2, 400)), torch.randn(2, 10, 5)) for _ in range(3)]
    measure_activation_peaks(wavenet, batches)
    return wavenet


@pytest.mark.parametrize("level", FP32_SETS)
@settings(deadline=None, max_examples=25)
@given(
    layers=st.integers(1, 7),
    cycle=st.integers(1, 5),
    kernel=st.integers(2, 4),
    residual=st.integers(1, 70),
    gate=st.integers(1, 70),
    skip=st.integers(1, 70),
    output=st.integers(1, 70),
    classes=st.integers(2, 300),
    streams=st.integers(1, 11),
    threads=st.integers(1, 3),
    frames=st.integers(1, 4),
    hop=st.integers(1, 20),
)
def test_fp32_logits_are_as_exact_as_fp32_can_be(
    level: str, layers: int, cycle: int, kernel: int, residual: int, gate: int, skip: int, output: int, classes: int,
    streams: int, threads: int, frames: int, hop: int,
) -> None:  # fmt: skip
    wavenet = make_wavenet(
        layers=layers, cycle=cycle, kernel=kernel, residual=residual, gate=gate, skip=skip, output=output,
        classes=classes,
    )  # fmt: skip
    exact, bound = fp32_error(wavenet, *random_input(wavenet, streams, frames, hop))
    logits = scores(wavenet, NativeEngine(wavenet, threads=threads, instruction_set=level), streams, frames, hop)
    assert (logits - exact).abs().max() <= bound
    # Where two classes are as likely as rounding can tell, either may be called the most likely.
    best = exact.topk(2, -1).values
    clear = best[..., 0] - best[..., 1] > 2 * bound
    assert torch.equal(logits.argmax(-1)[clear], exact.argmax(-1)[clear])


@pytest.mark.parametrize("level", FP32_SETS)
def test_fp32_draws_the_samples_that_torch_draws(level: str) -> None:
    wavenet = make_wavenet(layers=12, cycle=6, residual=32, gate=48)
    layers = wavenet.condition(torch.randn(3, 10, 5)).detach()
    uniforms = np.random.default_rng(0).random((3, 200), dtype=np.float32)
    for temperature in (1.0, 0.6, 0.0):
        expected = TorchEngine(wavenet).open(3).push(layers, uniforms, temperature)
        drawn = NativeEngine(wavenet, instruction_set=level).open(3).push(layers, uniforms, temperature)
        assert np.array_equal(drawn, expected)


@pytest.mark.parametrize(("level", "precision"), [pair for pair in AVAILABLE if pair[1] != "fp32"])
@settings(deadline=None, max_examples=15)
@given(
    kernel=st.integers(2, 3),
    residual=st.integers(1, 70),
    gate=st.integers(1, 70),
    skip=st.integers(1, 70),
    streams=st.integers(1, 9),
    threads=st.integers(1, 2),
)
def test_short_numbers_stay_close_to_fp32(
    level: str, precision: native_engine.Precision, kernel: int, residual: int, gate: int, skip: int, streams: int,
    threads: int,
) -> None:  # fmt: skip
    wavenet = calibrated(make_wavenet(kernel=kernel, residual=residual, gate=gate, skip=skip))
    engine = NativeEngine(wavenet, precision=precision, threads=threads, instruction_set=level)
    expected = scores(wavenet, TorchEngine(wavenet), streams, 4, 20).log_softmax(-1)
    got = scores(wavenet, engine, streams, 4, 20).log_softmax(-1)
    divergence = (expected.exp() * (expected - got)).sum(-1).mean()
    # Random weights are harsher than trained ones, which are held to 1e-4 and 1e-3.
    assert divergence <= {"bf16": 1e-3, "int8": 3e-2}[precision]


@pytest.mark.parametrize("level", [level for level, precision in AVAILABLE if precision == "int8"])
def test_int8_sums_are_exact_where_every_product_is_the_largest(level: str) -> None:
    wavenet = make_wavenet(output=36, classes=4)
    with torch.no_grad():
        for parameter in wavenet.parameters():
            parameter.zero_()
        wavenet.hidden.bias.fill_(1)
        wavenet.output.weight[0] = 1
        wavenet.output.weight[1, 0] = 1
        wavenet.output.weight[2] = torch.tensor([1.0, -1.0]).repeat(18)
        wavenet.output.weight[3] = -1
        wavenet.activation_peaks.fill_(1)
    engine = NativeEngine(wavenet, precision="int8", instruction_set=level)
    of_all, of_one, alternating, negative = scores(wavenet, engine, 1, 1, 2)[0, 0].tolist()
    # Pairs of 255 x 127 would be clipped in int16.
    assert of_one > 0
    assert of_all == pytest.approx(36 * of_one, rel=1e-6)
    assert negative == -of_all
    assert alternating == 0


@pytest.mark.parametrize(("level", "precision"), AVAILABLE)
def test_samples_do_not_depend_on_streams_threads_or_pieces(level: str, precision: native_engine.Precision) -> None:
    wavenet = calibrated(make_wavenet(layers=8, cycle=5, kernel=3, residual=24, gate=40, skip=50))
    streams, frames, hop = 11, 6, 17
    layers = wavenet.condition(torch.randn(streams, frames, 5)).detach()
    uniforms = np.random.default_rng(0).random((streams, frames * hop), dtype=np.float32)

    def drawn(chosen: slice, threads: int, piece: int) -> np.ndarray:
        engine = NativeEngine(wavenet, precision=precision, threads=threads, instruction_set=level)
        session = engine.open(len(range(streams)[chosen]))
        return np.concatenate(
            [
                session.push(layers[chosen, f : f + piece], uniforms[chosen, f * hop : (f + piece) * hop])
                for f in range(0, frames, piece)
            ],
            1,
        )

    whole = drawn(slice(None), 1, frames)
    for threads, piece in ((1, 1), (2, 2), (3, 3)):
        assert np.array_equal(drawn(slice(None), threads, piece), whole)
    for first in range(streams):
        for threads in (1, 2):  # two threads share the one stream
            assert np.array_equal(drawn(slice(first, first + 1), threads, 2), whole[first : first + 1])
    assert np.array_equal(drawn(slice(2, 5), 1, 2), whole[2:5])


def test_streams_that_leave_do_not_disturb_the_others() -> None:
    wavenet = make_wavenet()
    layers = wavenet.condition(torch.randn(5, 4, 5)).detach()
    uniforms = np.random.default_rng(0).random((5, 40), dtype=np.float32)
    whole = NativeEngine(wavenet).open(5).push(layers, uniforms)
    session = NativeEngine(wavenet).open(5)
    session.push(layers[:, :2], uniforms[:, :20])
    session.keep([3, 1])
    assert session.streams == 2
    rest = session.push(layers[[3, 1], 2:], uniforms[[3, 1], 20:])
    assert np.array_equal(rest, whole[[3, 1], 20:])


@pytest.mark.parametrize("chosen", [[0, 5], [1, -1], [2, 2]])
def test_streams_that_cannot_be_kept_leave_all_as_they_were(chosen: list[int]) -> None:
    wavenet = make_wavenet()
    layers = wavenet.condition(torch.randn(3, 4, 5)).detach()
    uniforms = np.random.default_rng(0).random((3, 40), dtype=np.float32)
    whole = NativeEngine(wavenet).open(3).push(layers, uniforms)
    session = NativeEngine(wavenet).open(3)
    session.push(layers[:, :2], uniforms[:, :20])
    with pytest.raises(ValueError, match="stream"):
        session.keep(chosen)
    assert session.streams == 3
    assert np.array_equal(session.push(layers[:, 2:], uniforms[:, 20:]), whole[:, 20:])


def test_when_all_streams_are_finished_nothing_more_is_drawn() -> None:
    session = NativeEngine(make_wavenet()).open(2)
    session.keep([])
    assert session.streams == 0
    with pytest.raises(ValueError, match="no streams"):
        session.push(torch.zeros(0, 2, 5, 8), np.zeros((0, 20), np.float32))


def test_a_folder_of_utterances_is_what_each_is_alone_on_any_engine() -> None:
    wavenet = make_wavenet()
    frames = [torch.randn(n, 5) for n in (3, 0, 12, 7, 7, 1, 5, 2, 9, 4, 6)]
    together = generate(wavenet, frames, hop=9, seed=5, engine="native", threads=2)
    for sequence, classes in zip(frames, together, strict=True):
        assert len(classes) == 9 * len(sequence)
        assert np.array_equal(generate(wavenet, [sequence], hop=9, seed=5, engine="torch")[0], classes)


def test_drawn_classes_follow_the_softmax() -> None:
    # With all weights zero but the last bias, every sample has the same distribution.
    wavenet = make_wavenet(classes=37)
    bias = torch.randn(37) * 2
    with torch.no_grad():
        for parameter in wavenet.parameters():
            parameter.zero_()
        wavenet.output.bias.copy_(bias)
    count = 20_000
    layers = wavenet.condition(torch.zeros(1, 1, 5)).detach()
    uniforms = ((np.arange(count, dtype=np.float32) + 0.5) / count)[None]
    for level in FP32_SETS:
        drawn = NativeEngine(wavenet, instruction_set=level).open(1).push(layers, uniforms)
        shares = np.bincount(drawn[0], minlength=37) / count
        assert np.abs(shares - torch.softmax(bias, 0).numpy()).max() < 2e-4


def test_extreme_logits_and_uniforms_draw_a_class_that_can_be() -> None:
    wavenet = make_wavenet(classes=37)
    with torch.no_grad():
        for parameter in wavenet.parameters():
            parameter.zero_()
        wavenet.output.bias.fill_(-1000)
        wavenet.output.bias[[5, 20]] = 1000
    layers = wavenet.condition(torch.zeros(1, 1, 5)).detach()
    uniforms = np.array([[0, 0.499, 0.501, np.nextafter(np.float32(1), np.float32(0))]], np.float32)
    for level in FP32_SETS:
        assert NativeEngine(wavenet, instruction_set=level).open(1).push(layers, uniforms).tolist() == [[5, 5, 20, 20]]


def let_int8_have(names: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the processor is, it computes int8 by these instruction sets."""
    able = native_engine.instruction_sets
    monkeypatch.setattr(
        native_engine, "instruction_sets", lambda precision: names if precision == "int8" else able(precision)
    )


def test_what_does_not_fit_is_refused() -> None:
    wavenet = make_wavenet()
    layers = wavenet.condition(torch.randn(1, 2, 5)).detach()
    uniforms = np.zeros((1, 10), np.float32)
    session = NativeEngine(wavenet).open(1)
    for bad_layers, bad_uniforms in (
        (layers[:, :, 1:], uniforms),
        (layers[..., 1:], uniforms),
        (layers, uniforms[:, 1:]),
        (layers, np.zeros((2, 10), np.float32)),
        (layers[:, :0], uniforms),
    ):
        with pytest.raises(ValueError, match=r"streams|conditioning|frames"):
            session.push(bad_layers, bad_uniforms)
    with pytest.raises(ValueError, match="class"):
        session.score(layers, np.full((1, 10), wavenet.classes))
    with pytest.raises(ValueError, match="no fp32 at level sse9"):
        NativeEngine(wavenet, instruction_set="sse9")


def test_int8_needs_measured_activations(monkeypatch: pytest.MonkeyPatch) -> None:
    let_int8_have(["avx512"], monkeypatch)
    with pytest.raises(ValueError, match="never measured"):
        NativeEngine(make_wavenet(), precision="int8")


def test_what_cannot_be_falls_back_with_a_word(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for names, why in ((["avx512"], "never measured"), ([], "this processor has no instructions for int8")):
        let_int8_have(names, monkeypatch)
        engine = make_engine(make_wavenet(), "auto", "int8")
        assert (engine.name, engine.precision) == ("native", "fp32")
        assert why in caplog.text


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C is heard even where the tests run in the background of a shell, which has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_interrupt_ends_a_long_push_at_once() -> None:
    wavenet = make_wavenet(layers=20, cycle=10, residual=64, gate=64)
    frames = 20_000
    layers = wavenet.condition(torch.zeros(1, frames, 5)).detach()
    uniforms = np.zeros((1, frames * 100), np.float32)
    for threads in (1, 2):
        session = NativeEngine(wavenet, threads=threads).open(1)
        threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        begin = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            session.push(layers, uniforms)
        assert time.monotonic() - begin < 10  # two million samples take a minute
        with pytest.raises(ValueError, match="interrupted"):
            session.push(layers[:, :1], uniforms[:, :100])


def test_engine_is_described() -> None:
    described = describe_engine()
    assert described.startswith("native (")
    for precision in get_args(Precision):
        able = native_engine.instruction_sets(precision)
        assert f"{precision} by {able[0]}" in described if able else precision not in described


class TestWithoutTheExtension:
    @pytest.fixture(autouse=True)
    def missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(native_engine, "_native", None)
        monkeypatch.setattr(native_engine, "MISSING", "the compiled engine is not there: no compiler")

    def test_auto_takes_torch(self) -> None:
        assert make_engine(make_wavenet()).name == "torch"
        assert describe_engine() == "torch (the compiled engine is not there: no compiler)"

    def test_everything_is_generated_through_torch(self) -> None:
        assert len(generate(make_wavenet(), [torch.randn(2, 5)], hop=4)[0]) == 8

    def test_native_names_the_cure(self) -> None:
        with pytest.raises(InputError, match=r"compiler.*--engine torch"):
            make_engine(make_wavenet(), "native")

    def test_short_numbers_fall_back_with_a_word(self, caplog: pytest.LogCaptureFixture) -> None:
        assert make_engine(make_wavenet(), "auto", "bf16").precision == "fp32"
        assert "bf16" in caplog.text
