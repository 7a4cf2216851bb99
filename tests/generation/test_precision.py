from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from rounding import fp32_error, rounded_logits
from small_wavenets import make_wavenet
from torch import Tensor

import vqspeech
from vqspeech.generation import native_engine
from vqspeech.generation.native_engine import NativeEngine
from vqspeech.model.calibration import measure_activation_peaks
from vqspeech.model.wavenet import WaveNet

SPEECH = Path(__file__).resolve().parents[2] / "egs" / "quickstart" / "sample"


def peaks_by_the_formulas(wavenet: WaveNet, previous: Tensor, frames: Tensor) -> Tensor:
    """What ``measure_activation_peaks`` measures, written as the formulas of ``vqspeech.model.wavenet`` are."""
    c = wavenet.config
    layers = wavenet.condition(frames).repeat_interleave(previous.shape[1] // frames.shape[1], 1)
    x = wavenet.embedding(previous)
    peaks, gated = [], []
    for layer, dilation in enumerate(c.dilations):
        peaks.append(x.abs().max())
        taps = [F.pad(x, (0, 0, back * dilation, 0))[:, : x.shape[1]] for back in range(c.kernel - 1, -1, -1)]
        a, b = (wavenet.dilated[layer](torch.cat(taps, -1)) + layers[:, :, layer]).chunk(2, -1)
        gated.append(torch.tanh(a) * torch.sigmoid(b))
        x = x + wavenet.residual[layer](gated[-1])
    summed = F.relu(wavenet.skip(torch.cat(gated, -1)))
    return torch.stack([*peaks, summed.max(), F.relu(wavenet.hidden(summed)).max()])


@torch.no_grad()
@pytest.mark.parametrize("kernel", [2, 3])
def test_peaks_are_the_largest_over_all_batches(kernel: int) -> None:
    wavenet = make_wavenet(kernel=kernel)
    wavenet.form = "plain"
    batches = [(torch.randint(wavenet.classes, (2, 40)), torch.randn(2, 5, 5)) for _ in range(3)]
    peaks = measure_activation_peaks(wavenet, iter(batches))
    expected = torch.stack([peaks_by_the_formulas(wavenet, *batch) for batch in batches]).amax(0)
    torch.testing.assert_close(peaks, expected)
    torch.testing.assert_close(wavenet.state_dict()["activation_peaks"], expected)
    assert wavenet.form == "plain"


@pytest.fixture(scope="module")
def model() -> vqspeech.Model:
    return vqspeech.load()


@pytest.fixture(scope="module")
def held_out(model: vqspeech.Model) -> list[tuple[Tensor, Tensor]]:
    """Real speech as ``previous`` classes and conditioning frames, up to a second and a half of each recording."""
    recordings = sorted(SPEECH.glob("*.flac"))
    assert len(recordings) == 4
    return list(_teacher_forced(model, recordings))


@torch.no_grad()
def _teacher_forced(model: vqspeech.Model, recordings: list[Path]) -> Iterator[tuple[Tensor, Tensor]]:
    network = model.network
    for index, recording in enumerate(recordings):
        waveform = torch.from_numpy(model.read(recording)[: 3 * model.sample_rate // 2])[None]
        waveform = waveform[:, : waveform.shape[1] // network.config.code_hop * network.config.code_hop]
        speaker = torch.tensor([index % len(network.speakers)])
        frames = network.frames(network.quantize(waveform).values, speaker)
        classes = network.companding.classes(waveform)
        silence = torch.full_like(classes[:, :1], network.companding.silence)
        yield torch.cat([silence, classes[:, :-1]], 1), frames


def shortened(pair: tuple[Tensor, Tensor], seconds: float = 0.5) -> tuple[Tensor, Tensor]:
    """The end of a piece of speech: float64 takes its time."""
    previous, frames = pair
    count = round(len(frames[0]) * seconds / 1.5)
    return previous[:, -count * previous.shape[1] // frames.shape[1] :], frames[:, -count:]


def log_chances(wavenet: WaveNet, engine: NativeEngine, previous: Tensor, frames: Tensor) -> Tensor:
    """Teacher-forced log-probabilities of an engine, ``(batch, time, classes)`` float64."""
    logits = engine.open(len(previous)).score(wavenet.condition(frames), previous.numpy())
    return torch.from_numpy(logits).double().log_softmax(-1)


@pytest.mark.parametrize(("precision", "most"), [("bf16", 1e-4), ("int8", 1e-3)])
@torch.no_grad()
def test_a_trained_model_is_nearly_the_same_in_few_bits(
    precision: native_engine.Precision, most: float, model: vqspeech.Model, held_out: list[tuple[Tensor, Tensor]]
) -> None:
    decoder = model.network.decoder
    reason = native_engine.unsupported(decoder, precision)
    if reason:
        pytest.skip(reason)
    engine = NativeEngine(decoder, precision=precision)
    divergences = []
    for previous, frames in held_out:
        expected = decoder(previous, frames).double().log_softmax(-1)
        got = log_chances(decoder, engine, previous, frames)
        divergences.append((expected.exp() * (expected - got)).sum(-1))
    assert torch.cat(divergences, 1).mean() <= most


@torch.no_grad()
def test_a_trained_model_in_fp32_is_as_exact_as_fp32_can_be(
    model: vqspeech.Model, held_out: list[tuple[Tensor, Tensor]]
) -> None:
    decoder = model.network.decoder
    reason = native_engine.unsupported(decoder, "fp32")
    if reason:
        pytest.skip(reason)
    engine = NativeEngine(decoder)
    for previous, frames in (shortened(pair) for pair in held_out[::2]):
        layers = decoder.condition(frames)
        exact, bound = fp32_error(decoder, previous, layers)
        logits = torch.from_numpy(engine.open(1).score(layers, previous.numpy())).double()
        for computed in (logits, decoder(previous, frames).double()):
            assert (computed - exact).abs().max() <= bound
        # Logits that are off by at most B are off by at most B**2 / 2 in divergence (Hoeffding's lemma).
        expected, got = exact.log_softmax(-1), logits.log_softmax(-1)
        assert (expected.exp() * (expected - got)).sum(-1).max() <= bound**2 / 2 + 1e-14
        # Where two classes are as likely as rounding can tell, either may be called the most likely.
        best = exact.topk(2, -1).values
        clear = best[..., 0] - best[..., 1] > 2 * bound
        assert clear.double().mean() > 0.5
        assert torch.equal(got.argmax(-1)[clear], expected.argmax(-1)[clear])


@torch.no_grad()
def test_the_bound_of_fp32_is_tight_enough_to_see_one_matrix_in_bf16(
    model: vqspeech.Model, held_out: list[tuple[Tensor, Tensor]]
) -> None:
    decoder = copy.deepcopy(model.network.decoder)
    previous, frames = shortened(held_out[0])
    layers = decoder.condition(frames)
    exact, bound = fp32_error(decoder, previous, layers)
    for name, weight in decoder.named_parameters():
        if name not in ("dilated.9.weight", "residual.3.weight", "skip.weight", "output.weight"):
            continue
        kept = weight.clone()
        weight.copy_(weight.bfloat16())
        assert (rounded_logits(decoder, previous, layers, seed=None) - exact).abs().max() > bound, name
        weight.copy_(kept)
