"""Where there is speech, how loud it is, and what of silence."""

from __future__ import annotations

import numpy as np
import pytest

from vqspeech import audio


@pytest.fixture
def speech_like() -> np.ndarray:
    """0.5 s of silence, 1 s of noise at RMS 0.1, 0.5 s of silence, at 16 kHz."""
    noise = np.random.default_rng(0).normal(scale=0.1, size=16000).astype(np.float32)
    return np.concatenate([np.zeros(8000, np.float32), noise, np.zeros(8000, np.float32)])


def test_level_is_measured_where_there_is_speech(speech_like: np.ndarray) -> None:
    assert audio.active_rms(speech_like, 16000) == pytest.approx(0.1, rel=0.02)
    assert audio.active_rms(speech_like + 0.2, 16000) == pytest.approx(0.1, rel=0.02)


def test_normalising_sets_the_level_of_the_speech(speech_like: np.ndarray) -> None:
    for gain in (0.01, 1.0, 10.0):
        normalised = audio.normalise_level(gain * speech_like, 16000, rms=0.06)
        assert normalised.dtype == np.float32
        assert audio.active_rms(normalised, 16000) == pytest.approx(0.06, rel=1e-3)


@pytest.mark.parametrize(
    "silent",
    [
        np.zeros(0, np.float32),
        np.zeros(1, np.float32),
        np.zeros(16000, np.float32),
        np.full(16000, 0.5, np.float32),
        np.random.default_rng(0).integers(-1, 2, 16000).astype(np.float32) / 32768,
    ],
    ids=["empty", "one sample", "zeros", "constant", "dither"],
)
def test_silence_is_neither_amplified_nor_trimmed(silent: np.ndarray) -> None:
    assert audio.active_rms(silent, 16000) == 0.0
    np.testing.assert_array_equal(audio.normalise_level(silent, 16000), silent)
    np.testing.assert_array_equal(audio.trim_silence(silent, 16000), silent)


def test_trimming_leaves_the_speech_and_a_margin(speech_like: np.ndarray) -> None:
    np.testing.assert_array_equal(audio.trim_silence(speech_like, 16000, margin=0.0), speech_like[8000:24000])
    np.testing.assert_array_equal(audio.trim_silence(speech_like, 16000, margin=0.1), speech_like[6400:25600])
    np.testing.assert_array_equal(audio.trim_silence(speech_like, 16000, margin=9.0), speech_like)


def test_a_pause_inside_is_not_trimmed(speech_like: np.ndarray) -> None:
    twice = np.concatenate([speech_like, speech_like])
    assert len(audio.trim_silence(twice, 16000, margin=0.0)) == 48000


def test_speech_and_what_is_near_it_is_masked(speech_like: np.ndarray) -> None:
    # Speech from 0.5 to 1.5 s of 2 s.
    mask = audio.speech_mask(speech_like, 16000, hop=160, margin=0.1)
    np.testing.assert_array_equal(mask, (np.arange(200) >= 40) & (np.arange(200) < 160))


@pytest.mark.parametrize("samples", [2, 100, 320, 1601])
@pytest.mark.parametrize("hop", [64, 640])
def test_the_mask_has_a_value_a_hop_even_of_what_is_shorter_than_the_margin(samples: int, hop: int) -> None:
    mask = audio.speech_mask(np.sin(np.arange(1, samples + 1)), 16000, hop=hop)
    assert mask.shape == (-(-samples // hop),)
    assert mask.all()
    assert not audio.speech_mask(np.zeros(samples), 16000, hop=hop).any()
