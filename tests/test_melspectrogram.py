"""``vqspeech.melspectrogram``: one frame a hop, centred on it, at any rate and hop."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vqspeech import melspectrogram
from vqspeech.melspectrogram import FLOOR, cepstra, log_mel, normalized, window_length


@pytest.mark.parametrize(("rate", "window"), [(8000, 256), (11025, 256), (16000, 512), (22050, 512), (48000, 2048)])
def test_the_window_is_the_power_of_two_nearest_to_32_ms(rate: int, window: int) -> None:
    assert window_length(rate) == window


@given(hop=st.integers(1, 700), time=st.integers(0, 3000), batch=st.integers(1, 3), bands=st.integers(1, 30))
def test_there_is_one_frame_for_each_whole_hop(hop: int, time: int, batch: int, bands: int) -> None:
    time = max(time, hop)
    mel = log_mel(torch.randn(batch, time), sample_rate=8000, hop=hop, bands=bands)
    assert mel.shape == (batch, time // hop, bands)
    assert mel.dtype == torch.float32
    assert torch.isfinite(mel).all()


def test_gradients_pass_though_inference_came_first() -> None:
    for kept in (melspectrogram.filterbank, melspectrogram._hann):
        kept.cache_clear()
    waveform = torch.randn(1, 2000)
    with torch.inference_mode():
        log_mel(waveform, sample_rate=8000, hop=64, bands=10)
    learnt = waveform.clone().requires_grad_()
    log_mel(learnt, sample_rate=8000, hop=64, bands=10).sum().backward()
    assert learnt.grad is not None
    assert learnt.grad.abs().sum() > 0


@pytest.mark.parametrize("hop", [64, 100, 160, 256, 600])
def test_the_window_of_a_frame_is_centred_on_its_hop(hop: int) -> None:
    frame, rate = 9, 8000
    waveform = torch.zeros(1, 20 * hop, requires_grad=True)
    noise = torch.randn(1, 20 * hop)
    log_mel(waveform + noise, sample_rate=rate, hop=hop, bands=8)[0, frame].sum().backward()
    assert waveform.grad is not None
    heard = waveform.grad[0].abs() > 0
    # The first sample of the periodic Hann window is zero.
    assert heard.nonzero().min() == (frame + 0.5) * hop - 128 + 1
    assert heard.nonzero().max() == (frame + 0.5) * hop + 128 - 1


def test_silence_lies_at_the_floor() -> None:
    mel = log_mel(torch.zeros(1, 1600), sample_rate=16000, hop=160, bands=40)
    torch.testing.assert_close(mel, torch.full((1, 10, 40), (math.log(FLOOR) + 1) / 3))


@pytest.mark.parametrize("frequency", [300.0, 1000.0, 3000.0, 6000.0])
def test_a_tone_is_loudest_in_its_own_band(frequency: float) -> None:
    rate, bands = 16000, 40
    tone = torch.sin(2 * math.pi * frequency * torch.arange(8000) / rate)[None]
    band = int(log_mel(tone, sample_rate=rate, hop=160, bands=bands)[0, 20].argmax())

    def to_mel(hertz: float) -> float:
        return 2595 * math.log10(1 + hertz / 700)

    low, high = to_mel(40.0), to_mel(0.4875 * rate)
    centre = low + (band + 1) * (high - low) / (bands + 1)
    assert abs(centre - to_mel(frequency)) <= (high - low) / (bands + 1)


def test_twice_the_amplitude_adds_a_constant() -> None:
    noise = torch.randn(1, 4000)
    once, twice = (log_mel(x, sample_rate=8000, hop=80, bands=10) for x in (noise, 2 * noise))
    torch.testing.assert_close(twice - once, torch.full_like(once, math.log(4) / 3), atol=1e-3, rtol=0)


def test_it_is_the_same_in_any_precision_of_the_surroundings() -> None:
    noise = torch.randn(1, 4000)
    exact = log_mel(noise, sample_rate=8000, hop=80, bands=10)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(log_mel(noise, sample_rate=8000, hop=80, bands=10), exact)


@given(bands=st.integers(2, 60), count=st.integers(1, 60))
def test_cepstra_are_the_orthonormal_cosine_transform(bands: int, count: int) -> None:
    from scipy.fft import dct

    mel = torch.randn(2, 5, bands)
    count = min(count, bands)
    expected = dct(mel.double().numpy(), axis=2, norm="ortho")[:, :, :count]
    torch.testing.assert_close(cepstra(mel, count).double(), torch.from_numpy(expected), atol=1e-5, rtol=1e-5)


def test_normalised_cepstra_do_not_hear_the_microphone_and_count_alike() -> None:
    mel = torch.randn(3, 50, 40).cumsum(1)
    plain = normalized(cepstra(mel, 13))
    assert plain.shape == (3, 50, 13)
    torch.testing.assert_close(plain.mean(1), torch.zeros(3, 13), atol=1e-4, rtol=0)
    assert (plain.std(1, correction=0) - 1).abs().max() < 0.1
    # Another microphone adds to each band what it always adds.
    torch.testing.assert_close(normalized(cepstra(mel + 3 * torch.randn(3, 1, 40), 13)), plain, atol=1e-3, rtol=1e-3)


def test_normalised_cepstra_of_what_never_changes_are_zero() -> None:
    silence = log_mel(torch.zeros(1, 1600), sample_rate=16000, hop=160, bands=40)
    torch.testing.assert_close(normalized(cepstra(silence, 13)), torch.zeros(1, 10, 13), atol=1e-4, rtol=0)
