"""``vqspeech.generation.mel_inversion``: the waveform has the bands that were asked for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vqspeech.generation.mel_inversion import invert_mel, spread
from vqspeech.melspectrogram import filterbank, log_mel

RATE, HOP, BANDS = 16_000, 64, 80


def tone(seconds: float = 0.5, hertz: float = 700.0) -> torch.Tensor:
    time = torch.arange(round(seconds * RATE) // HOP * HOP) / RATE
    noise = 0.002 * torch.randn(len(time), generator=torch.Generator().manual_seed(0))
    return 0.1 * torch.sin(2 * torch.pi * hertz * time) * (1 + torch.sin(2 * torch.pi * 4 * time)) + noise


def bands_of(waveform: torch.Tensor) -> torch.Tensor:
    return log_mel(waveform[None], sample_rate=RATE, hop=HOP, bands=BANDS)[0]


def test_the_bands_come_back() -> None:
    waveform = tone()
    bands = bands_of(waveform)
    made = invert_mel(bands, sample_rate=RATE, hop=HOP)
    assert made.shape == waveform.shape
    error = (bands_of(torch.from_numpy(made)) - bands).abs().mean()
    assert error < 0.2
    assert error < 0.5 * (bands - bands.mean(0)).abs().mean()


def test_a_tone_keeps_its_frequency() -> None:
    made = invert_mel(bands_of(tone(hertz=1500)), sample_rate=RATE, hop=HOP)
    spectrum = np.abs(np.fft.rfft(made * np.hanning(len(made))))
    assert np.argmax(spectrum) * RATE / len(made) == pytest.approx(1500, abs=40)


def test_powers_are_the_least_squares_of_the_bands() -> None:
    bank = filterbank(RATE, 20, torch.device("cpu"))
    true = torch.rand(5, len(bank), generator=torch.Generator().manual_seed(0)) + 0.1
    energies = true @ bank
    found = spread(energies, bank)
    assert (found >= 0).all()
    torch.testing.assert_close(found @ bank, energies, rtol=0.02, atol=1e-3)


@pytest.mark.parametrize("frames", [1, 2, 7])
def test_the_shortest_are_inverted_too(frames: int) -> None:
    made = invert_mel(torch.zeros(frames, BANDS), sample_rate=RATE, hop=HOP)
    assert made.shape == (frames * HOP,)
    assert np.isfinite(made).all()
