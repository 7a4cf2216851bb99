from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vqspeech.streaming.level import RunningLevel
from vqspeech.streaming.pitch import RunningPitch
from vqspeech.streaming.statistics import RunningHistogram, RunningMoments

RATE = 16_000


@given(st.lists(st.floats(-9, 9), min_size=1, max_size=40), st.floats(0, 5))
def test_moments_are_those_of_the_rows_and_of_the_prior(values: list[float], prior: float) -> None:
    moments = RunningMoments(np.array([2.0]), np.array([3.0]), prior=prior, most=1000)
    for value in values:
        moments.update(np.array([value]))
    count = prior + len(values)
    mean = (prior * 2 + sum(values)) / count
    second = (prior * (3 + 4) + sum(value * value for value in values)) / count
    assert moments.mean[0] == pytest.approx(mean, abs=1e-9)
    assert moments.variance[0] == pytest.approx(second - mean * mean, abs=1e-8)


def test_moments_forget() -> None:
    moments = RunningMoments(np.zeros(2), np.ones(2), prior=5, most=50)
    random = np.random.default_rng(0)
    for row in random.normal([100, -100], [1, 2], (2000, 2)):
        moments.update(row)
    for row in random.normal([3, -3], [1, 2], (1000, 2)):
        moments.update(row)
    assert moments.mean == pytest.approx([3, -3], abs=0.7)
    assert np.sqrt(moments.variance) == pytest.approx([1, 2], rel=0.4)
    assert moments.count == 50


@given(st.lists(st.floats(0, 10), min_size=1, max_size=60), st.floats(0.01, 1))
def test_a_histogram_has_the_quantiles_and_moments_of_its_numbers(values: list[float], share: float) -> None:
    histogram = RunningHistogram(0, 10, bins=200, most=1000)
    for value in values:
        histogram.add(value)
    ordered = sorted(values)
    wanted = ordered[min(len(ordered), int(np.ceil(share * len(ordered) - 1e-6))) - 1]
    assert histogram.quantile(share) == pytest.approx(wanted, abs=0.026)
    weight, mean, variance = histogram.moments(0, 10)
    assert weight == pytest.approx(len(values))
    assert mean == pytest.approx(np.mean(values))
    assert variance == pytest.approx(np.var(values), abs=1e-6)


def test_a_histogram_forgets_and_its_weight_is_bounded() -> None:
    histogram = RunningHistogram(0, 10, bins=20, most=30)
    for value in [2.0] * 500 + [8.0] * 200:
        histogram.add(value)
    assert histogram.weight == pytest.approx(30)
    assert histogram.quantile(0.1) == pytest.approx(8, abs=0.3)


def levelled(parts: list[tuple[float, float]]) -> tuple[np.ndarray, RunningLevel, list[bool]]:
    """Noise of (level, seconds) each, by steps of 16 ms."""
    random = np.random.default_rng(0)
    waveform = np.concatenate([rms * random.standard_normal(round(s * RATE)) for rms, s in parts]).astype(np.float32)
    level, made, speech = RunningLevel(RATE, 256, 0.06), [], []
    for begin in range(0, len(waveform) - 255, 256):
        made.append(level.push(waveform[begin : begin + 256]))
        speech.append(level.speech)
    return np.concatenate(made), level, speech


@pytest.mark.parametrize("loudness", [0.001, 0.02, 0.5])
def test_speech_comes_to_the_working_level_and_a_pause_stays_quiet(loudness: float) -> None:
    syllables = [(loudness, 0.2), (loudness / 200, 0.1)] * 8
    made, level, speech = levelled([*syllables, (loudness / 200, 30.0), *syllables])
    assert level.level == pytest.approx(loudness, rel=0.2)
    last = made[-round(0.2 * RATE) - round(0.1 * RATE) : -round(0.1 * RATE)]
    assert np.sqrt(np.mean(last**2)) == pytest.approx(0.06, rel=0.25)
    assert not any(speech[len(speech) // 2 - 100 : len(speech) // 2 + 100])
    assert speech[60]


def test_a_frozen_level_stays() -> None:
    level = RunningLevel(RATE, 256, 0.06)
    random = np.random.default_rng(0)
    level.enrol((random.standard_normal(RATE) * np.repeat([0.002, 0.2, 0.002, 0.2], RATE // 4)).astype(np.float32))
    assert level.level == pytest.approx(0.2 ** (5 / 6) * 0.06 ** (1 / 6), rel=0.1)  # half a second of it
    before = level.level
    level.frozen = True
    for _ in range(100):
        made = level.push(np.full(256, 0.01, np.float32))
    assert level.level == before
    assert made == pytest.approx(np.full(256, 0.01 * 0.06 / before), rel=1e-3)


@pytest.mark.parametrize("hz", [95.0, 180.0, 260.0])
def test_pitch_follows_a_tone_and_its_mean_follows_the_speaker(hz: float) -> None:
    pitch = RunningPitch(RATE, 64, 0.06)
    time = np.arange(3 * RATE) / RATE
    phase = 2 * np.pi * np.cumsum(hz * np.exp(0.2 * np.sin(2 * np.pi * time))) / RATE
    voice = (0.05 * sum(np.sin(k * phase) / k for k in range(1, 9))).astype(np.float32)
    lag, frames = 5, []
    for step in range(len(voice) // 256):
        pitch.push(voice[256 * step : 256 * step + 256])
        first = 4 * (step - lag)
        if first >= 0:
            frames.append(pitch.frames(first, 4))
    found = pitch.statistics
    assert found.mean == pytest.approx(np.log(hz), abs=0.05)
    assert found.deviation == pytest.approx(0.2 / np.sqrt(2), abs=0.04)
    rows = np.concatenate(frames)
    assert rows[20:, 1].mean() > 0.97
    inside = rows[-400:, 0] * found.deviation + found.mean
    times = (np.arange(len(rows))[-400:] + 0.5) * 64 / RATE
    voiced = rows[-400:, 1] > 0
    wanted = np.log(hz) + 0.2 * np.sin(2 * np.pi * times)
    # Statistics still move a little while the frames are made.
    assert np.abs(inside - wanted)[voiced].max() < 0.06


def test_silence_has_no_pitch() -> None:
    pitch = RunningPitch(RATE, 64, 0.06)
    for _ in range(30):
        pitch.push(np.zeros(256, np.float32))
    frames = pitch.frames(100, 4)
    assert not frames[:, :2].any()
    assert np.isfinite([pitch.statistics.mean, pitch.statistics.deviation]).all()
