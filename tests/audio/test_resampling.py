"""Other rates: length, content and no seam between blocks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from tones import similarity, tone

from vqspeech import audio
from vqspeech.audio import reading


@pytest.mark.parametrize("rate", [11025, 22050, 44100, 96000])
def test_other_rates_keep_length_and_content(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(0.5, rate), rate)
    waveform = audio.read(path)
    assert len(waveform) == pytest.approx(8000, abs=1)
    assert similarity(waveform, tone(0.5, 16000)) > 0.999


def test_frequencies_that_16_khz_cannot_hold_are_removed_not_folded(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(0.5, 48000, hertz=10_000), 48000)
    assert np.abs(audio.read(path)[400:-400]).max() < 1e-3


def test_another_rate_can_be_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(0.5, 16000), 16000)
    assert len(audio.read(path, rate=24000)) == 12000


def test_reading_in_blocks_leaves_no_seam(tmp_path: Path) -> None:
    import soxr

    samples = np.random.default_rng(0).normal(scale=0.1, size=3 * reading._BLOCK + 17).astype(np.float32)
    path = tmp_path / "a.wav"
    soundfile.write(path, samples, 44100, subtype="FLOAT")
    np.testing.assert_allclose(audio.read(path), soxr.resample(samples, 44100, 16000), atol=1e-6)


@settings(deadline=None)
@given(samples=st.integers(0, 3000), rate_in=st.sampled_from([8000, 16000, 22050, 44100]))
def test_resampling_gives_the_length_it_says(samples: int, rate_in: int) -> None:
    resampled = audio.resample(np.zeros(samples), rate_in, 16000)
    assert resampled.dtype == np.float32
    assert abs(len(resampled) - max(min(samples, 1), samples * 16000 / rate_in)) <= 0.5
    assert (len(resampled) == 0) == (samples == 0)
