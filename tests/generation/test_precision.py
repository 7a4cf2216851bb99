from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Speech:
    """Real speech as a decoder takes it: ``previous``, conditioning of all layers, and ``current``."""

    previous: Tensor
    layers: Tensor
    current: Tensor

    def end(self, seconds: float = 0.5) -> Speech:
        """Its last part: float64 takes its time."""
        frames = round(self.layers.shape[1] * seconds / 1.5)
        steps = frames * self.previous.shape[1] // self.layers.shape[1]
        return Speech(self.previous[:, -steps:], self.layers[:, -frames:], self.current[:, -steps:])


@pytest.fixture(scope="module")
def model() -> vqspeech.Model:
    return vqspeech.load()


@pytest.fixture(scope="module")
def held_out(model: vqspeech.Model) -> list[Speech]:
    """Up to a second and a half of each recording."""
    recordings = sorted(SPEECH.glob("*.flac"))
    assert len(recordings) == 4
    return list(_teacher_forced(model, recordings))


@torch.no_grad()
def _teacher_forced(model: vqspeech.Model, recordings: list[Path]) -> Iterator[Speech]:
    network = model.network
    for index, recording in enumerate(recordings):
        waveform = torch.from_numpy(model.read(recording)[: 3 * model.sample_rate // 2])[None]
        waveform = waveform[:, : waveform.shape[1] // network.config.code_hop * network.config.code_hop]
        speaker = torch.tensor([index % len(network.speakers)])
        frames = network.frames(network.quantize(waveform).values, speaker)
        previous, current = network.decoder_classes(F.pad(waveform, (1, 0)), 0, frames.shape[1])
        yield Speech(previous, network.decoder.condition(frames), current)


def scores(engine: NativeEngine, speech: Speech) -> Tensor:
    """Teacher-forced logits of an engine, float64."""
    current = speech.current.numpy() if speech.current.ndim == 3 else None
    logits = engine.open(1).score(speech.layers, speech.previous.numpy(), current)
    return torch.from_numpy(logits).double()


@pytest.mark.parametrize(("precision", "most"), [("bf16", 1e-4), ("int8", 1e-3)])
@torch.no_grad()
def test_a_trained_model_is_nearly_the_same_in_few_bits(
    precision: native_engine.Precision, most: float, model: vqspeech.Model, held_out: list[Speech]
) -> None:
    decoder = model.network.decoder
    reason = native_engine.unsupported(decoder, precision)
    if reason:
        pytest.skip(reason)
    for instruction_set in native_engine.instruction_sets(precision):
        engine = NativeEngine(decoder, precision=precision, instruction_set=instruction_set)
        divergences = []
        for speech in held_out:
            expected = decoder.logits(speech.previous, speech.layers, speech.current).double().log_softmax(-1)
            got = scores(engine, speech).log_softmax(-1)
            divergence = (expected.exp() * (expected - got)).sum(-1)
            divergences.append(divergence.view(divergence.shape[1], -1))  # (time, bands)
        # Nats per sample, whatever the bands: a step has as many of them as it stands for samples.
        assert torch.cat(divergences).mean() <= most


@torch.no_grad()
def test_a_trained_model_in_fp32_is_as_exact_as_fp32_can_be(model: vqspeech.Model, held_out: list[Speech]) -> None:
    decoder = model.network.decoder
    reason = native_engine.unsupported(decoder, "fp32")
    if reason:
        pytest.skip(reason)
    engine = NativeEngine(decoder)
    for speech in (speech.end() for speech in held_out[::2]):
        exact, bound = fp32_error(decoder, speech.previous, speech.layers, speech.current)
        logits = scores(engine, speech)
        for computed in (logits, decoder.logits(speech.previous, speech.layers, speech.current).double()):
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
    model: vqspeech.Model, held_out: list[Speech]
) -> None:
    decoder = copy.deepcopy(model.network.decoder)
    speech = held_out[0].end()
    exact, bound = fp32_error(decoder, speech.previous, speech.layers, speech.current)
    for name, weight in decoder.named_parameters():
        if name not in ("dilated.9.weight", "residual.3.weight", "skip.weight", "output.weight"):
            continue
        kept = weight.clone()
        weight.copy_(weight.bfloat16())
        changed = rounded_logits(decoder, speech.previous, speech.layers, speech.current, seed=None)
        assert (changed - exact).abs().max() > bound, name
        weight.copy_(kept)
