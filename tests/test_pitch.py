"""``vqspeech.pitch``: known fundamentals are found, and what a network takes is relative to the speaker."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from vqspeech.pitch import PitchStatistics, contour, relative, statistics

RATE = 16_000


def glottal(f0: NDArray[np.float64]) -> NDArray[np.float64]:
    """A sum of harmonics of a fundamental that is given for each sample."""
    phase = 2 * np.pi * np.cumsum(f0) / RATE
    signal: NDArray[np.float64] = sum(np.sin(k * phase) / k for k in range(1, 12)) * 0.1
    return signal


@pytest.mark.parametrize("hertz", [80.0, 120.0, 210.0, 400.0])
def test_a_steady_fundamental_is_found(hertz: float) -> None:
    times = np.arange(0.1, 0.9, 0.01)
    found = contour(glottal(np.full(RATE, hertz)), RATE, times)
    np.testing.assert_allclose(found, hertz, rtol=0.01)


def test_a_glide_is_followed_and_noise_is_unvoiced() -> None:
    f0 = np.linspace(120, 240, RATE)
    noise = 0.05 * np.random.default_rng(0).standard_normal(RATE)
    times = np.arange(0.1, 1.9, 0.01)
    found = contour(np.concatenate([glottal(f0), noise]), RATE, times)
    gliding = times < 0.9
    np.testing.assert_allclose(found[gliding], f0[(times[gliding] * RATE).astype(int)], rtol=0.03)
    assert (found[times > 1.1] == 0).mean() > 0.9


@pytest.mark.parametrize("samples", [0, 1, 100, 800])
def test_what_is_too_short_is_unvoiced(samples: int) -> None:
    assert not contour(np.ones(samples), RATE, np.array([0.0, 0.01])).any()


def test_a_network_is_given_deviations_from_the_speakers_mean() -> None:
    speaker = PitchStatistics(mean=float(np.log(100)), deviation=0.2)
    f0 = np.array([100.0, 0.0, 100 * np.exp(0.2), 5000.0])
    np.testing.assert_allclose(relative(f0, speaker), [[0, 1, 1], [0, 0, 1], [1, 1, 1], [4, 1, 1]], atol=1e-6)


def test_statistics_of_much_speech_are_its_own_and_octave_errors_do_not_count() -> None:
    rng = np.random.default_rng(0)
    f0 = np.exp(rng.normal(np.log(200), 0.1, 50_000))
    f0[::50] /= 2.2
    f0[1::3] = 0
    found = statistics(f0, 0.005)
    assert found.mean == pytest.approx(np.log(200), abs=0.01)
    assert found.deviation == pytest.approx(0.1, abs=0.01)


def test_statistics_of_nothing_voiced_are_those_of_an_average_speaker() -> None:
    assert statistics(np.zeros(10), 0.005) == PitchStatistics(pytest.approx(np.log(150)), 0.2)
