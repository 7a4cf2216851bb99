"""``vqspeech.model.vqvae``: where the gradient of each term goes, and that a model learns to reconstruct its input."""

from __future__ import annotations

import math
from itertools import chain
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from small_models import make_config, make_model
from torch import Tensor, nn

from vqspeech.generation import generate
from vqspeech.melspectrogram import log_mel
from vqspeech.model.vqvae import VQVAE, Losses
from vqspeech.training.muon import Muon

PARTS = ("encoder", "codebook", "conditioner", "speakers", "mel head", "decoder")


def part_of(name: str) -> str:
    for start, part in (
        ("encoder.", "encoder"),
        ("quantizer.codebook", "codebook"),
        ("conditioner.speakers.", "speakers"),
        ("conditioner.mel_head.", "mel head"),
        ("conditioner.", "conditioner"),
        ("decoder.", "decoder"),
    ):
        if name.startswith(start):
            return part
    raise AssertionError(f"no part for {name}")


def make_batch(codes: int = 6) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    torch.manual_seed(1)
    targets = 0.2 * torch.randn(3, codes * 16 + 1)
    return targets[:, 1:].clone(), targets, torch.tensor([0, 1, 2]), torch.randn(3, codes * 2, 6)


def parts_moved_by(model: VQVAE, term: Tensor) -> set[str]:
    model.zero_grad()
    term.backward()
    return {
        part_of(name)
        for name, parameter in model.named_parameters()
        if parameter.grad is not None and parameter.grad.abs().max() > 0
    }


@pytest.mark.parametrize("update", ["loss", "ema"])
@pytest.mark.parametrize(
    ("term", "moved"),
    [
        ("nll", {"encoder", "conditioner", "speakers", "decoder"}),
        ("codebook", {"codebook"}),
        ("commitment", {"encoder"}),
        ("mel", {"encoder", "conditioner", "speakers", "mel head"}),
    ],
)
def test_each_term_moves_exactly_its_parts(update: str, term: str, moved: set[str]) -> None:
    model = make_model(make_config(quantizer={"update": update}))
    inputs, targets, speaker, mel = make_batch()
    losses, _ = model(inputs, targets, speaker, mel, (0, 12))
    if update == "ema" and term == "codebook":
        assert float(losses.codebook) == 0
        assert not losses.codebook.requires_grad
        return
    assert parts_moved_by(model, getattr(losses, term)) == moved


def test_the_whole_objective_moves_everything() -> None:
    model = make_model()
    losses, _ = model(*make_batch(), (0, 12))
    assert parts_moved_by(model, losses.total(commitment_weight=0.25, mel_weight=0.5)) == set(PARTS)


def test_what_reaches_the_encoder_is_what_reaches_the_codebook_vectors() -> None:
    """Equation 3's copied gradient: that of the likelihood by z is that of the likelihood by the quantised vectors."""
    model = make_model()
    inputs, targets, speaker, _ = make_batch()
    z = model.encoder(model.companding.preemphasise(inputs)).detach().requires_grad_()
    values = model.quantizer(z).values
    (by_z,) = torch.autograd.grad(model.nll(targets, model.frames(values, speaker), (0, 12)).mean(), z)
    chosen = model.quantizer.lookup(model.quantizer(z).codes).detach().requires_grad_()
    (by_e,) = torch.autograd.grad(model.nll(targets, model.frames(chosen, speaker), (0, 12)).mean(), chosen)
    torch.testing.assert_close(by_z, by_e, rtol=1e-4, atol=1e-7)


def test_the_total_is_the_sum_of_the_paper_and_the_auxiliary_term() -> None:
    nll, codebook, commitment, mel = (torch.tensor(value) for value in (3.0, 0.5, 0.25, 0.125))
    weights = {"commitment_weight": 0.25, "mel_weight": 2.0}
    assert float(Losses(nll, codebook, commitment, mel).total(**weights)) == 3 + 0.5 + 0.25 * 0.25 + 2 * 0.125
    assert float(Losses(None, codebook, commitment, mel).total(**weights)) == 0.5 + 0.25 * 0.25 + 2 * 0.125
    assert float(Losses(nll, codebook, commitment, None).total(**weights)) == 3 + 0.5 + 0.25 * 0.25


def test_the_likelihood_is_that_of_the_mu_law_classes() -> None:
    model = make_model()
    _, targets, speaker, _ = make_batch()
    frames = model.frames(torch.randn(3, 5, 6), speaker)
    # The sample before the first is known to pre-emphasis alone.
    classes = model.companding.classes(targets)[:, 1:]
    previous = torch.cat([torch.full((3, 1), 32), classes[:, :-1]], 1)
    chances = model.decoder(previous, frames).softmax(-1)
    nll = model.nll(targets, frames, (0, 12))
    assert nll.shape == (3, 96)
    for row, sample in ((0, 0), (1, 50), (2, 95)):
        expected = -math.log(chances[row, sample, classes[row, sample]].item())
        assert nll[row, sample].item() == pytest.approx(expected, rel=1e-4)


def test_a_crop_is_that_part_of_the_whole_once_the_decoder_has_heard_enough() -> None:
    model = make_model().eval()
    _, targets, speaker, _ = make_batch()
    frames = model.frames(torch.randn(3, 5, 6), speaker)
    whole, crop = model.nll(targets, frames, (0, 12)), model.nll(targets, frames, (5, 4))
    field = model.config.decoder.receptive_field
    assert crop.shape == (3, 32)
    torch.testing.assert_close(crop[:, field - 1 :], whole[:, 40 + field - 1 : 72])
    # The first sample of a crop is predicted from the one before it, as everywhere.
    assert not torch.equal(model.nll(targets.flip(1), frames, (5, 4))[:, 0], crop[:, 0])


def test_without_a_crop_the_decoder_rests_and_without_a_target_the_mel_head() -> None:
    model = make_model()
    inputs, targets, speaker, mel = make_batch()
    losses, codes = model(inputs, targets, speaker, mel, None)
    assert losses.nll is None
    assert losses.mel is not None
    assert codes.shape == (3, 6)
    assert model(inputs, targets, speaker, None, (0, 12))[0].mel is None


def test_jitter_is_of_training_alone() -> None:
    model = make_model(make_config(quantizer={"jitter": 0.9}))
    batch = make_batch()
    model.quantizer.start(model.encoder(model.companding.preemphasise(batch[0])).transpose(1, 2).flatten(0, 1))
    torch.manual_seed(0)
    values = {mode: [model.train(mode)(*batch, None)[0].mel.item() for _ in range(4)] for mode in (True, False)}
    assert len(set(values[True])) > 1
    assert len(set(values[False])) == 1


RATE, HOP, SAMPLES = 8000, 64, 8192


def vowel_glide(start_hz: float, end_hz: float, formants: tuple[tuple[float, float], ...]) -> Tensor:
    """A second of a voice whose pitch glides and whose formants move from the first to the second of each pair."""
    time = np.arange(SAMPLES) / SAMPLES
    pitch = start_hz + (end_hz - start_hz) * time
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    sound = np.zeros(SAMPLES)
    for harmonic in range(1, 40):
        frequency = harmonic * pitch
        level = sum(1 / (1 + ((frequency - (first + (last - first) * time)) / 120) ** 2) for first, last in formants)
        sound += np.where(frequency < 0.45 * RATE, level, 0.0) * np.sin(harmonic * phase) / harmonic**0.5
    sound *= np.clip(np.minimum(time, 1 - time) / 0.05, 0, 1)
    return torch.from_numpy(0.06 * sound / sound.std()).float()[None]


def mel_correlation(a: Tensor, b: Tensor) -> float:
    """Correlation of two log-mel spectrograms over time and band, each band's mean taken out."""
    mels = [log_mel(x, sample_rate=RATE, hop=HOP, bands=24)[0] for x in (a, b)]
    x, y = ((mel - mel.mean(0)).flatten() for mel in mels)
    return float(F.cosine_similarity(x, y, dim=0))


def overfit(model: VQVAE, waveform: Tensor, *, warm_up: int, steps: int) -> None:
    """Train on one utterance as the trainer does: first the mel head alone, then codebook and decoder."""
    torch.manual_seed(0)
    decoder = model.decoder
    matrices = [p for p in chain(decoder.dilated.parameters(), decoder.residual.parameters()) if p.ndim == 2]
    matrices += [decoder.skip.weight, decoder.hidden.weight]
    kernels = [m.weight for m in model.modules() if isinstance(m, nn.Conv1d) and m.weight.shape[1] > 1]
    taken = {id(p) for p in matrices + kernels}
    rest = [p for p in model.parameters() if p.requires_grad and id(p) not in taken]
    optimisers = [
        torch.optim.Adam(rest, lr=4e-3, betas=(0.9, 0.99)),
        Muon([{"params": matrices}, {"params": kernels, "lr": 0.02}], lr=0.03),
    ]
    rates = [[group["lr"] for group in optimiser.param_groups] for optimiser in optimisers]
    targets = F.pad(waveform, (1, 0))
    mel = log_mel(waveform, sample_rate=RATE, hop=HOP, bands=24)
    speaker = torch.tensor([0])
    frames, crop = SAMPLES // HOP, 32
    for step in range(steps):
        if step == warm_up // 2:
            with torch.no_grad():
                z = model.encoder(model.companding.preemphasise(waveform))
            model.quantizer.start(z[0].t())
        fall = min(1.0, 0.02 + 2 * (1 - step / steps))
        for optimiser, start in zip(optimisers, rates, strict=True):
            for group, rate in zip(optimiser.param_groups, start, strict=True):
                group["lr"] = rate * fall
        first = int(torch.randint(frames - crop + 1, ()))
        losses, _ = model(waveform, targets, speaker, mel, (first, crop) if step >= warm_up else None)
        for optimiser in optimisers:
            optimiser.zero_grad()
        losses.total(commitment_weight=0.25, mel_weight=0.5).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimiser in optimisers:
            optimiser.step()


def test_a_tiny_model_overfits_one_utterance_and_says_it_again() -> None:
    config = make_config(
        audio={"levels": 128, "emphasis": 0.85, "gain": 4.0, "rms": 0.06},
        encoder={"strides": [4, 4, 4], "channels": 32, "dilations": [1], "dimension": 16, "frame_norm": True},
        quantizer={"codes": 32, "update": "ema", "restart_below": 0.05},
        conditioner={"hop": HOP, "channels": 32, "dilations": [1, 1], "mel_bands": 24},
        decoder={"layers": 7, "cycle": 7, "residual": 24, "gate": 24, "skip": 32, "output": 32},
    )
    torch.manual_seed(0)
    model = VQVAE(config, ("ann",))
    glide = vowel_glide(110, 190, ((700, 300), (1200, 2200), (2600, 3000)))
    other = vowel_glide(190, 120, ((300, 700), (2200, 1000), (2900, 2500)))
    targets, whole, speaker = F.pad(glide, (1, 0)), (0, SAMPLES // HOP), torch.tensor([0])

    def nll(values: Tensor) -> float:
        return float(model.nll(targets, model.frames(values, speaker), whole).mean())

    with torch.no_grad():
        before = nll(model.eval().quantize(glide).values)
    overfit(model.train(), glide, warm_up=60, steps=260)
    model.eval()
    with torch.no_grad():
        quantized = model.quantize(glide)
        after, with_wrong_codes = nll(quantized.values), nll(model.quantize(other).values)
        frames = model.frames(quantized.values, speaker)[0]
    (classes,) = generate(model.decoder, [frames], hop=HOP, engine="torch", temperature=0.7)
    said = model.companding.waveform(torch.from_numpy(classes))
    likeness, to_other = (mel_correlation(torch.from_numpy(said)[None], sound) for sound in (glide, other))
    assert after < before - 2.5
    assert with_wrong_codes > after + 1
    # The other glide goes the other way: its likeness to the original is below 0.
    assert likeness > 0.3
    assert likeness > to_other + 0.4


@pytest.mark.parametrize("changes", [{}, {"block": "modulated", "dilations": [1, -1, 1, -2]}])
@pytest.mark.parametrize("crop", [(0, 3), (5, 4), (17, 3)])
def test_with_fixed_codes_only_the_frames_of_the_crop_are_computed(
    changes: dict[str, Any], crop: tuple[int, int]
) -> None:
    model = make_model(make_config(conditioner=changes))
    model.train()
    model.keep_codes()
    targets, mel = torch.randn(2, 161), torch.randn(2, 20, 6)
    speaker = torch.tensor([0, 2])
    losses, codes = model(targets[:, 1:], targets, speaker, mel, crop)
    frames = model.frames(model.quantizer.lookup(codes), speaker)
    torch.testing.assert_close(losses.nll, model.nll(targets, frames, crop).mean())
    assert model.conditioner.mel_head is not None
    span = slice(crop[0], sum(crop))
    expected = (model.conditioner.mel_head(frames[:, span]) - mel[:, span]).abs().mean()
    torch.testing.assert_close(losses.mel, expected)
