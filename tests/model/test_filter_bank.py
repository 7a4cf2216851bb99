from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from vqspeech import audio
from vqspeech.model.config import AudioConfig
from vqspeech.model.filter_bank import BankSynthesis, FilterBank
from vqspeech.model.sub_bands import SubBandCompanding

SPEECH = Path(__file__).resolve().parents[2] / "egs" / "quickstart" / "sample"
CONFIG = AudioConfig(sample_rate=16_000, levels=256, emphasis=0.85, gain=4.0, rms=0.06)


def decibels(signal: Tensor | np.ndarray, other: Tensor | np.ndarray) -> float:
    """Signal to noise, where the second is the first with noise."""
    a, b = np.asarray(signal, np.float64), np.asarray(other, np.float64)
    return float(10 * np.log10((a**2).sum() / ((a - b) ** 2).sum()))


def speech() -> list[Tensor]:
    recordings = sorted(SPEECH.glob("*.flac"))
    assert len(recordings) == 4
    waveforms = [audio.normalise_level(audio.read(str(path), rate=16_000), 16_000, CONFIG.rms) for path in recordings]
    return [torch.from_numpy(waveform[: len(waveform) // 16 * 16].copy()) for waveform in waveforms]


@pytest.mark.parametrize("bands", [2, 3, 4, 8])
def test_noise_is_reconstructed(bands: int) -> None:
    bank = FilterBank(bands)
    noise = torch.randn(2, 4800, generator=torch.Generator().manual_seed(0))
    values = bank.analyse(noise)
    assert values.shape == (2, bands, 4800 // bands)
    again = bank.synthesise(values)
    inside = slice(2 * bank.overlap, -2 * bank.overlap)
    assert decibels(noise[:, inside], again[:, inside]) > 55
    # The transform is orthogonal, so that energies of bands are shares of the energy.
    assert float(values.square().sum() / noise.square().sum()) == pytest.approx(1, abs=0.02)


def test_speech_is_reconstructed() -> None:
    bank = FilterBank(4)
    for waveform in speech():
        assert decibels(waveform, bank.synthesise(bank.analyse(waveform[None]))[0]) > 50


@pytest.mark.parametrize("bands", [2, 4])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_tone_is_in_its_band(bands: int, share: float) -> None:
    bank = FilterBank(bands)
    for band in range(bands):
        frequency = (band + share) * np.pi / bands  # radians per sample
        tone = torch.from_numpy(np.sin(frequency * np.arange(4000)).astype(np.float32))[None]
        energies = bank.analyse(tone)[0, :, 20:-20].square().sum(1)
        near = {band} if share == 0.5 else {band, band + (1 if share > 0.5 else -1)}
        assert energies[[b for b in range(bands) if b in near]].sum() / energies.sum() > 0.9999


@given(place=st.integers(0, 399))
def test_a_step_depends_on_samples_up_to_the_overlap_away(place: int) -> None:
    bank = FilterBank(4)
    waveform = torch.zeros(1, 400)
    waveform[0, place] = 1
    felt = bank.analyse(waveform)[0].abs().amax(0).nonzero()[:, 0] * 4
    assert (felt - place).abs().max() <= bank.overlap


@given(lengths=st.lists(st.integers(0, 30), min_size=1, max_size=6), bands=st.sampled_from([2, 4]))
def test_a_stream_is_the_whole_later_by_the_overlap(lengths: list[int], bands: int) -> None:
    bank = FilterBank(bands)
    values = torch.randn(bands, sum(lengths), generator=torch.Generator().manual_seed(0))
    stream, start, came = BankSynthesis(bank), 0, 0
    pieces = []
    for length in lengths:
        pieces.append(stream.push(values[:, start : start + length].t().numpy()))
        start += length
        came += len(pieces[-1])
        assert came == max(0, start * bands - bank.overlap)
    pieces.append(stream.finish())
    whole = bank.synthesise(values[None])[0] if start else torch.zeros(0)
    np.testing.assert_allclose(np.concatenate(pieces), whole.numpy(), rtol=1e-5, atol=1e-5)


def test_autocast_does_not_reach_the_bank() -> None:
    bank = FilterBank(4)
    noise = torch.randn(1, 800)
    with torch.autocast("cpu", torch.bfloat16):
        values = bank.analyse(noise)
        again = bank.synthesise(values)
    assert torch.equal(values, bank.analyse(noise))
    assert torch.equal(again, bank.synthesise(values))


def test_speech_survives_analysis_mu_law_and_synthesis() -> None:
    companding = SubBandCompanding(CONFIG, 4)
    for waveform in speech():
        classes = companding.classes(waveform[None])
        assert classes.shape == (1, len(waveform) // 4, 4)
        assert classes.min() > 0  # nothing is clipped
        assert classes.max() < 255
        assert decibels(waveform, companding.waveform(classes[0])) > 33


def test_silence_is_the_middle_class() -> None:
    companding = SubBandCompanding(CONFIG, 4)
    assert (companding.classes(torch.zeros(1, 64)) == companding.silence).all()
