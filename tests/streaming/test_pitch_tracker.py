"""F0 of a stream: that of the method computed slowly, Praat's up to little, whatever the chunks."""

from __future__ import annotations

import autocorrelation_pitch
import numpy as np
import parselmouth
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from vqspeech.streaming.pitch_tracker import PitchTracker

RATE, STEP, PEAK = 16_000, 128, 0.42


def voice(f0: NDArray[np.floating], rate: int = RATE) -> NDArray[np.float64]:
    """Harmonics up to 3 kHz under two formants, of a fundamental given for each sample; silence where it is 0."""
    phase = 2 * np.pi * np.cumsum(f0) / rate
    made = np.zeros(len(f0))
    for k in range(1, 40):
        hertz = k * f0
        gain = np.exp(-(((hertz - 500) / 250) ** 2)) + 0.5 * np.exp(-(((hertz - 1500) / 300) ** 2)) + 0.02
        made += gain * np.sin(k * phase) * ((hertz > 0) & (hertz < min(3000, 0.45 * rate)))
    return 0.1 * made


def speech() -> NDArray[np.float64]:
    """A glide down, a pause with faint noise, a glide up an octave higher, and a hiss."""
    rng = np.random.default_rng(0)
    down, up = np.linspace(140, 90, RATE // 2), np.linspace(200, 280, RATE // 2)
    f0 = np.concatenate([down, np.zeros(RATE // 4), up, np.zeros(RATE // 4)])
    made = voice(f0) + 1e-4 * rng.standard_normal(len(f0))
    made[-RATE // 4 :] += 0.05 * rng.standard_normal(RATE // 4)
    return made


def track(samples: NDArray[np.floating], rate: int = RATE) -> PitchTracker:
    tracker = PitchTracker(rate, step=STEP / RATE, peak=PEAK)
    tracker.push(samples)
    return tracker


def places(count: int) -> NDArray[np.float64]:
    return (np.arange(count) + 0.5) * STEP


def test_it_is_the_method_computed_slowly() -> None:
    samples = speech()[: RATE // 2 + RATE // 4 + RATE // 8]
    step = STEP
    tracked = autocorrelation_pitch.frames(samples, RATE, step=step, peak=PEAK)
    best = autocorrelation_pitch.paths(tracked, RATE, step=step)
    tracker = PitchTracker(RATE, step=STEP / RATE, peak=PEAK)
    for end in range(1000, len(samples), 1000):
        tracker.push(samples[end - 1000 : end])
        expected = best[autocorrelation_pitch.complete(end, RATE, step=step)]
        newest = np.arange(max(0, len(expected) - 30), len(expected))
        np.testing.assert_allclose(tracker.f0((newest + 0.5) * STEP), np.array(expected)[newest], rtol=1e-6)
        assert tracker.f0(np.array([(len(expected) + 0.5) * STEP]))[0] == 0  # not there yet


def test_praat_finds_the_same() -> None:
    samples = speech()
    sound = parselmouth.Sound(samples, RATE)
    silence = 0.03 * PEAK / np.abs(samples).max()  # Praat's is of the highest peak that it is given
    found = sound.to_pitch_ac(STEP / RATE, 65.0, 15, False, silence, 0.45, 0.01, 0.35, 0.14, 450.0)
    tracker, seen = PitchTracker(RATE, step=STEP / RATE, peak=PEAK), []
    wanted = found.x1 * RATE + np.arange(found.nx) * STEP
    for n, place in enumerate(wanted):  # each 60 ms after its middle, as a stream asks
        end, before = (min(len(samples), round(wanted[m] + 0.06 * RATE)) if m >= 0 else 0 for m in (n, n - 1))
        tracker.push(samples[before:end])
        seen.append(tracker.f0(np.array([place]))[0])
    mine, praat = np.array(seen), found.selected_array["frequency"]
    both = (mine > 0) & (praat > 0)
    assert ((mine > 0) != (praat > 0)).mean() < 0.03  # the two grids lie up to half a step apart
    np.testing.assert_allclose(mine[both], praat[both], rtol=0.01)


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 48_000])
@pytest.mark.parametrize("hertz", [70.0, 123.4, 250.0, 440.0])
def test_a_steady_fundamental_is_found(hertz: float, rate: int) -> None:
    tracker = track(voice(np.full(rate // 2, hertz), rate), rate)
    step = round(STEP / RATE * rate)
    found = tracker.f0((np.arange(25, 45) + 0.5) * step)
    np.testing.assert_allclose(found, hertz, rtol=2e-3)


@given(sizes=st.lists(st.integers(0, 3000), min_size=1, max_size=12))
@settings(deadline=None, max_examples=25)
def test_chunks_change_nothing(sizes: list[int]) -> None:
    samples = speech()[4000 : 4000 + sum(sizes)]
    by_chunks = PitchTracker(RATE, step=STEP / RATE, peak=PEAK)
    for chunk in np.split(samples, np.cumsum(sizes)[:-1]):
        by_chunks.push(chunk)
    at_once = track(samples)
    wanted = places(len(samples) // STEP + 2)
    np.testing.assert_array_equal(by_chunks.f0(wanted), at_once.f0(wanted))


@pytest.mark.parametrize("size", [0.0, 1e-30, 1e-6, 1.0, 1e6])
@pytest.mark.parametrize("kind", ["noise", "constant", "square"])
def test_odd_signals_are_finite(size: float, kind: str) -> None:
    clock = np.arange(RATE)
    signal = {
        "noise": np.random.default_rng(0).standard_normal(RATE),
        "constant": np.ones(RATE),
        "square": np.sign(np.sin(2 * np.pi * 100 * clock / RATE)),
    }[kind]
    with np.errstate(all="raise", under="ignore"):
        found = track(size * signal).f0(places(100))
    assert np.isfinite(found).all()
    assert (found[(found > 0)] >= 65).all()
    if kind != "square" or size < 1e-3:
        assert (found[10:] == 0).mean() > 0.8


def test_quiet_frames_are_unvoiced_and_loud_ones_are_not() -> None:
    tone = voice(np.full(RATE, 120.0))
    tone *= PEAK / np.abs(tone).max()
    assert (track(tone).f0(places(100))[60:95] > 0).all()
    assert (track(0.005 * tone).f0(places(100))[60:95] == 0).all()


def test_memory_does_not_grow() -> None:
    tracker = track(np.zeros(10))
    sizes = set()
    for _ in range(40):
        tracker.push(voice(np.full(1600, 100.0)))
        sizes.add((len(tracker._samples) // STEP, len(tracker._frames)))
    assert len(tracker._frames) <= 63
    assert max(samples for samples, _ in sizes) <= 8
    assert tracker.f0(np.array([0.5 * STEP]))[0] == 0  # no more
