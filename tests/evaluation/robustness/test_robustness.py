"""Unit edit distance against a slow count, and distortions that do what they say."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import groupby

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from tests.evaluation.test_edit_distance import table_distance
from vqspeech import audio
from vqspeech.evaluation import robustness
from vqspeech.evaluation.mfcc import mfcc
from vqspeech.evaluation.robustness import distortions
from vqspeech.evaluation.robustness.distortions import DISTORTIONS
from vqspeech.evaluation.robustness.mfcc_units import MfccUnits

RNG = np.random.default_rng(0)


def buzz(seconds: float = 2.0, pitch: float = 120.0, seed: int = 0) -> NDArray[np.float32]:
    """A voice-like buzz with a moving spectrum."""
    rng, time = np.random.default_rng(seed), np.arange(int(16_000 * seconds)) / 16_000
    phase = 2 * np.pi * pitch * time
    swell = 1 + 0.5 * np.sin(2 * np.pi * 3 * time + seed)
    tones = sum(np.sin(k * phase) / k * (1 + np.sin(2 * np.pi * k * time / 7)) for k in range(1, 30))
    return (0.05 * swell * tones + 1e-4 * rng.standard_normal(len(time))).astype(np.float32)


def by_loudness(waveforms: Sequence[NDArray[np.float32]]) -> list[NDArray[np.int32]]:
    """Units that are the level of 20 ms in steps of 3 dB."""
    found = []
    for waveform in waveforms:
        frames = waveform[: len(waveform) // 320 * 320].reshape(-1, 320)
        found.append(np.rint(20 * np.log10(frames.std(1) + 1e-6) / 3).astype(np.int32) + 100)
    return found


def test_the_distance_is_that_of_a_slow_count() -> None:
    recordings = [lambda seed=seed: buzz(1.0 + 0.3 * seed, 100 + 20 * seed, seed) for seed in range(4)]
    found = robustness.evaluate(recordings, by_loudness, speakers=list("abab"))
    assert found.keys() == {*DISTORTIONS, robustness.ANOTHER}
    clean = by_loudness([read() for read in recordings])
    louder = [units - round(20 / 3) for units in clean]  # what 20 dB less are, nearly
    level = robustness.compare(clean, louder, speakers=list("abab"), keeps_time=True)
    assert level.frames_kept == 0
    for changed, figures in ((louder, level), ([*clean[1:], clean[0]], found[robustness.ANOTHER])):
        edits, shares, total = 0, [], 0
        for one, other in zip(clean, changed, strict=True):
            ours, theirs = ([key for key, _ in groupby(row.tolist())] for row in (one, other))
            distance = table_distance(ours, theirs)
            edits, total = edits + distance, total + len(ours)
            shares.append(distance / len(one))
        assert figures.ued == pytest.approx(np.mean(shares))
        assert figures.edits_per_unit == pytest.approx(edits / total)
        assert figures.interval is not None
        assert figures.interval[0] <= figures.ued <= figures.interval[1]
    assert found["speed_0.9"].frames_kept is None
    assert found["noise_20_db"].ued <= found["noise_10_db"].ued


def test_units_that_say_nothing_never_move_and_noise_always_does() -> None:
    recordings = [lambda seed=seed: buzz(1.0, 110, seed) for seed in range(3)]
    still = robustness.evaluate(recordings, lambda w: [np.zeros(50, np.int32) for _ in w], speakers=list("abc"))
    assert {figures.ued for figures in still.values()} == {0.0}
    assert still["mp3"].frames_kept == 1
    rng = np.random.default_rng(1)
    wild = robustness.evaluate(
        recordings, lambda w: [rng.integers(0, 500, 50).astype(np.int32) for _ in w], speakers=list("abc")
    )
    assert min(figures.ued for figures in wild.values()) > 0.8
    assert wild["level"].frames_kept is not None
    assert wild["level"].frames_kept < 0.1


@pytest.mark.parametrize("snr", [20.0, 10.0])
def test_noise_has_its_level(snr: float) -> None:
    waveform = buzz()
    noise = distortions.add_noise(waveform, RNG, snr=snr) - waveform
    found = 20 * np.log10(audio.active_rms(waveform) / noise.std())
    assert found == pytest.approx(snr, abs=0.3)


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_speed_changes_length_and_pitch(factor: float) -> None:
    waveform = buzz(pitch=150)
    changed = distortions.change_speed(waveform, RNG, factor=factor)
    assert len(changed) == pytest.approx(len(waveform) / factor, abs=2)
    spectrum = np.abs(np.fft.rfft(changed[4000:20_000]))
    peak = np.argmax(spectrum[80:250]) + 80
    assert peak * 16_000 / 16_000 == pytest.approx(150 * factor, abs=3)


@pytest.mark.parametrize("semitones", [-3.0, 3.0])
def test_pitch_moves_alone(semitones: float) -> None:
    parselmouth = pytest.importorskip("parselmouth")
    waveform = buzz(pitch=150)
    changed = distortions.shift_pitch(waveform, np.random.default_rng(0), semitones=semitones)
    assert len(changed) == len(waveform)
    track = parselmouth.Sound(changed.astype(float), 16_000).to_pitch().selected_array["frequency"]
    assert np.median(track[track > 0]) == pytest.approx(150 * 2 ** (semitones / 12), rel=0.03)
    assert distortions.shift_pitch(np.zeros(100, np.float32), RNG, semitones=1).tolist() == [0] * 100


def test_mp3_comes_back_at_its_place() -> None:
    try:
        soundfile.write(io.BytesIO(), np.zeros(100), 16_000, format="MP3", subtype="MPEG_LAYER_III")
    except Exception:
        pytest.skip("this libsndfile writes no MP3")
    waveform = buzz()
    waveform[:8000] *= 0.01
    changed = distortions.through_mp3(waveform, RNG)
    assert changed.shape == waveform.shape
    assert np.corrcoef(waveform, changed)[0, 1] > 0.98
    assert not np.array_equal(waveform, changed)


def test_the_microphone_colours_without_delay() -> None:
    waveform = np.zeros(4000, np.float32)
    waveform[2000] = 1
    changed = distortions.through_microphone(waveform, RNG)
    assert np.abs(changed).argmax() == 2000
    response = 20 * np.log10(np.abs(np.fft.rfft(changed)) + 1e-9)
    hertz = np.fft.rfftfreq(4000, 1 / 16_000)

    def at(frequency: float) -> float:
        return float(response[np.abs(hertz - frequency).argmin()])

    assert at(1000) == pytest.approx(0, abs=1)
    assert at(3000) == pytest.approx(5, abs=1)
    assert at(100) < -10
    assert at(7000) == pytest.approx(-12, abs=2)


def test_level() -> None:
    assert distortions.change_level(np.ones(3, np.float32), RNG, decibels=-20).tolist() == pytest.approx([0.1] * 3)


def test_mfcc_units_are_the_nearest_centres() -> None:
    recordings = [buzz(1.0, 110 + 25 * seed, seed) for seed in range(3)]
    units = MfccUnits(recordings, clusters=8, frame_period=0.02, offset=0.01, seed=0)
    found = units(recordings)
    assert [len(one) for one in found] == [50, 50, 50]
    assert len(np.unique(np.concatenate(found))) == 8
    # Slowly: each unit is the nearest centre to the mean of the MFCC frames within 10 ms of its own centre.
    centres = units._clusters.cluster_centers_
    frames = mfcc(recordings[1])
    for place in (3, 17, 40):
        near = [
            frame for number, frame in enumerate(frames) if abs(0.0125 + 0.01 * number - (0.01 + 0.02 * place)) < 0.01
        ]
        distances = ((centres - np.mean(near, 0)) ** 2).sum(1)
        assert found[1][place] == distances.argmin()
