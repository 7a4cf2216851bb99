"""``vqspeech.generation.postfilter``: bands come nearer to what is expected of them, and nothing else happens."""

from __future__ import annotations

import math

import pytest
import torch
from small_vqvaes import CODES, make_network
from torch import Tensor

from vqspeech.generation import make_engine
from vqspeech.generation import postfilter as module
from vqspeech.generation.conditioning import ConditioningPlan
from vqspeech.generation.postfilter import post_filter, refine
from vqspeech.generation.synthesis import synthesise
from vqspeech.melspectrogram import DIVISOR, log_mel

RATE, HOP, BANDS = 16_000, 64, 20


def noise(seconds: float = 1.0, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(round(seconds * RATE) // HOP * HOP, generator=generator)


def bands(waveform: Tensor) -> Tensor:
    return log_mel(waveform[None], sample_rate=RATE, hop=HOP, bands=BANDS)[0]


def filtered(waveform: Tensor, expected: Tensor, strength: float) -> Tensor:
    return post_filter(waveform, expected, sample_rate=RATE, hop=HOP, strength=strength)


def test_speech_that_is_as_expected_stays_as_it_is() -> None:
    waveform = noise()
    torch.testing.assert_close(filtered(waveform, bands(waveform), 1.0), waveform, atol=1e-5, rtol=1e-4)


def test_strength_nought_changes_nothing() -> None:
    waveform = noise()
    torch.testing.assert_close(filtered(waveform, bands(noise(seed=1)) + 1, 0.0), waveform, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_a_band_with_too_much_is_brought_down_by_its_share(strength: float) -> None:
    waveform = noise()
    found = bands(waveform)
    expected = found.clone()
    decibels = 12.0
    expected[:, 8:14] -= decibels * math.log(10) / 10 / DIVISOR
    change = (bands(filtered(waveform, expected, strength)) - found).mean(0) * DIVISOR * 10 / math.log(10)
    torch.testing.assert_close(change[9:13], torch.full((4,), -strength * decibels), atol=1.0, rtol=0)
    torch.testing.assert_close(change[:6], torch.zeros(6), atol=0.3, rtol=0)
    torch.testing.assert_close(change[16:], torch.zeros(4), atol=0.3, rtol=0)


def test_no_band_is_moved_beyond_the_limits() -> None:
    waveform = noise()
    found = bands(waveform)
    for wish, limit in ((+9.0, module.UP), (-9.0, -module.DOWN)):
        change = bands(filtered(waveform, found + wish, 1.0)) - found
        in_decibels = change[:, 2:-2].mean() * DIVISOR * 10 / math.log(10)
        assert float(in_decibels) == pytest.approx(limit, abs=0.3)


def test_what_is_expected_of_a_time_is_done_at_that_time() -> None:
    waveform = noise()
    expected = bands(waveform)
    expected[len(expected) // 2 :] -= 1
    result = filtered(waveform, expected, 1.0)
    edge, half = 1024, len(waveform) // 2
    torch.testing.assert_close(result[: half - edge], waveform[: half - edge], atol=1e-5, rtol=1e-4)
    assert result[half + edge :].square().mean() < 0.2 * waveform[half + edge :].square().mean()


def test_a_model_brings_its_speech_nearer_to_its_mel_head() -> None:
    network = make_network(mel_bands=5)
    codes = torch.randint(CODES, (120,), generator=torch.Generator().manual_seed(0))
    voice, engine = network.voice({1: 1.0}), make_engine(network.decoder)
    plain = synthesise(network, [ConditioningPlan(network, codes, voice)], engine=engine, seed=3)[0]
    refined = synthesise(network, [ConditioningPlan(network, codes, voice)], engine=engine, seed=3, post_filter=1.0)[0]
    assert refined.shape == plain.shape

    def distance(waveform: Tensor) -> float:
        with torch.no_grad():
            expected = voice.mel(ConditioningPlan(network, codes, voice).frames(0, len(codes))[None])
        assert expected is not None
        audio = network.config.audio
        found = log_mel(waveform[None], sample_rate=audio.sample_rate, hop=network.config.conditioner.hop, bands=5)
        return float((found - expected).abs().mean())

    assert distance(torch.from_numpy(refined)) < distance(torch.from_numpy(plain))


def test_in_blocks_it_is_what_it_is_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    network = make_network(mel_bands=5)
    codes = torch.randint(CODES, (700,), generator=torch.Generator().manual_seed(0))
    voice, hop = network.voice({1: 1.0}), network.config.code_hop
    waveform = 0.1 * torch.randn(len(codes) * hop, generator=torch.Generator().manual_seed(1))
    whole = refine(ConditioningPlan(network, codes, voice), waveform, strength=0.8)
    monkeypatch.setattr(module, "_BLOCK_SECONDS", 0.1)
    torch.testing.assert_close(
        refine(ConditioningPlan(network, codes, voice), waveform, strength=0.8), whole, atol=1e-5, rtol=1e-4
    )


def test_without_a_mel_head_speech_stays_as_it_is() -> None:
    network = make_network(mel_bands=0)
    waveform = torch.randn(10 * network.config.code_hop)
    codes = torch.zeros(10, dtype=torch.long)
    assert refine(ConditioningPlan(network, codes, network.voice({0: 1.0})), waveform, strength=1.0) is waveform


@pytest.mark.parametrize("length", [1, 2, 7])
def test_the_shortest_speech_passes(length: int) -> None:
    network = make_network(mel_bands=5)
    waveform = 0.1 * torch.randn(length * network.config.code_hop)
    codes = torch.zeros(length, dtype=torch.long)
    refined = refine(ConditioningPlan(network, codes, network.voice({0: 1.0})), waveform, strength=1.0)
    assert refined.shape == waveform.shape
    assert refined.isfinite().all()
