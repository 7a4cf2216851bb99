from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from streaming_models import make_stream, speech_like

from vqspeech.streaming.rates import RateConverter, ResampledStream

RATES = [8000, 11025, 16000, 22050, 44100, 48000]


def slowly(waveform: np.ndarray, rate_in: int, rate_out: int, count: int) -> np.ndarray:
    """The formula of the module, sample by sample."""
    narrow = min(1.0, rate_out / rate_in)
    half = int(np.ceil(16 / narrow))
    made = []
    for m in range(count):
        position = m * rate_in / rate_out
        total = weights = 0.0
        for n in range(m * rate_in // rate_out - half + 1, m * rate_in // rate_out + half + 1):
            off = n - position
            inside = max(0.0, 1 - (off / half) ** 2)
            weight = np.sinc(narrow * 0.92 * off) * np.i0(8.0 * np.sqrt(inside))
            weights += weight
            total += weight * (waveform[n] if 0 <= n < len(waveform) else 0.0)
        made.append(total / weights)
    return np.array(made)


@pytest.mark.parametrize(("rate_in", "rate_out"), [(48000, 16000), (8000, 16000), (44100, 16000), (16000, 11025)])
def test_it_is_the_formula(rate_in: int, rate_out: int) -> None:
    waveform = np.random.default_rng(0).normal(size=120).astype(np.float32)
    made = RateConverter(rate_in, rate_out).push(waveform)
    np.testing.assert_allclose(made, slowly(waveform, rate_in, rate_out, len(made)), atol=1e-4)


@given(sizes=st.lists(st.integers(0, 700), min_size=1, max_size=9), rates=st.permutations(RATES))
def test_push_by_push_is_what_all_at_once_is(sizes: list[int], rates: list[int]) -> None:
    waveform = np.random.default_rng(1).normal(size=sum(sizes)).astype(np.float32)
    whole = RateConverter(*rates[:2]).push(waveform)
    converter, pieces, place = RateConverter(*rates[:2]), [np.zeros(0)], 0
    for size in sizes:
        pieces.append(converter.push(waveform[place : place + size]))
        place += size
    assert np.array_equal(np.concatenate(pieces), whole)


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_outputs_come_after_the_delay_and_a_tone_stays_what_it_is(rate: int) -> None:
    converter, rate_in, made = RateConverter(48000, rate), 48000, []
    tone = np.sin(2 * np.pi * 440 * np.arange(2400) / rate_in).astype(np.float32)
    for n, sample in enumerate(tone):
        for value in converter.push(np.array([sample])):
            assert len(made) / rate <= n / rate_in - converter.delay + 1 / rate + 1e-9
            made.append(value)
    wanted = np.sin(2 * np.pi * 440 * np.arange(len(made)) / rate)
    assert np.abs(np.array(made) - wanted)[50:-50].max() < 1e-3


def test_what_the_lower_rate_cannot_hold_is_gone() -> None:
    tone = np.sin(2 * np.pi * 11000 * np.arange(48000) / 48000).astype(np.float32)
    assert np.abs(RateConverter(48000, 16000).push(tone)[100:]).max() < 3e-3


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 48000])
def test_a_stream_at_any_rate_has_its_length_and_its_latency(rate: int) -> None:
    stream = ResampledStream(make_stream("modulated"), rate)
    waveform = np.repeat(speech_like(0.2), 6)[: rate // 5]
    missing = given_so_far = 0
    pieces = []
    for place in range(0, len(waveform), 10):
        chunk = waveform[place : place + 10]
        pieces.append(stream.push(chunk))
        given_so_far += len(pieces[-1])
        missing = max(missing, place + len(chunk) - given_so_far)
    assert missing <= stream.latency * rate + 10
    assert missing >= (stream.latency - 0.004) * rate
    pieces.append(stream.finish())
    assert sum(map(len, pieces)) == len(waveform)
    at_once = ResampledStream(make_stream("modulated"), rate)
    assert np.array_equal(np.concatenate(pieces), np.concatenate([at_once.push(waveform), at_once.finish()]))
