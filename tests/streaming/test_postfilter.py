"""The post-filter of a stream, alone and in streams of small models."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from stream_reference import post_filtered
from streaming_models import RATE, make_network, make_stream, speech_like

from vqspeech.melspectrogram import DIVISOR, log_mel
from vqspeech.streaming.postfilter import StreamedPostFilter, minimum_phase

HOP, BANDS = 16, 10


def bands(waveform: np.ndarray) -> np.ndarray:
    return log_mel(torch.from_numpy(waveform)[None], sample_rate=RATE, hop=HOP, bands=BANDS)[0].numpy()


def filtered(
    speech: np.ndarray, expected: np.ndarray, sizes: list[int], *, behind: int = 0, held: int = 0, strength: float = 0.5
) -> np.ndarray:
    """Speech, by as many frames at a time as ``sizes`` says, over and over; what is held back is given by silence."""
    part = StreamedPostFilter(sample_rate=RATE, hop=HOP, bands=BANDS, strength=strength, behind=behind, held=held)
    more = held + behind // HOP + 4
    speech = np.concatenate([speech, np.zeros(more * HOP, np.float32)])
    expected = np.concatenate([expected, np.zeros((more, BANDS), np.float32)])
    pieces, frame, turn = [], 0, 0
    while frame < len(expected):
        end = min(len(expected), frame + sizes[turn % len(sizes)])
        begin, stop = (max(0, place * HOP - behind) for place in (frame, end))
        pieces.append(part.push(speech[begin:stop], torch.from_numpy(expected[frame:end])))
        given_so_far = sum(map(len, pieces))
        assert given_so_far == max(0, (end - held) * HOP - behind)
        frame, turn = end, turn + 1
    return np.concatenate(pieces)[: len(speech) - more * HOP]


@pytest.mark.parametrize(("behind", "held"), [(0, 0), (0, 6), (31, 0), (31, 6), (200, 3), (5, 30)])
def test_it_is_what_the_slow_reference_makes_of_the_whole(behind: int, held: int) -> None:
    speech = speech_like(0.2)[: 96 * HOP]
    expected = bands(speech_like(0.2, 1)[: 96 * HOP])
    made = filtered(speech, expected, [4], behind=behind, held=held)
    wanted = post_filtered(speech, expected, hop=HOP, strength=0.5, behind=behind, held=held)
    assert np.abs(wanted - speech).max() > 0.01
    assert np.allclose(made, wanted, atol=1e-5)


@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=4), behind=st.sampled_from([0, 31]))
def test_how_many_frames_come_at_a_time_changes_nothing(sizes: list[int], behind: int) -> None:
    speech = speech_like(0.1)[: 48 * HOP]
    expected = bands(speech_like(0.1, 1)[: 48 * HOP])
    whole = filtered(speech, expected, [100], behind=behind, held=3)
    assert np.allclose(filtered(speech, expected, sizes, behind=behind, held=3), whole, atol=1e-6)


def test_a_band_with_too_much_is_brought_down_by_its_share() -> None:
    speech = (0.1 * np.random.default_rng(0).standard_normal(RATE)).astype(np.float32)
    expected = bands(speech)
    unchanged = filtered(speech, expected, [4], held=6, strength=1.0)
    assert np.allclose(unchanged, speech, atol=1e-5)
    expected[:, 4:7] -= 12 * math.log(10) / 10 / DIVISOR
    change = (bands(filtered(speech, expected, [4], held=6)) - bands(speech)).mean(0) * DIVISOR * 10 / math.log(10)
    assert change[5] == pytest.approx(-6, abs=1)
    assert np.abs(change[[0, 1, 9]]).max() < 0.5


def test_filters_of_minimum_phase_amplify_as_asked_and_come_at_once() -> None:
    gains = np.stack([np.zeros(129), 0.5 * np.cos(np.linspace(0, 3 * np.pi, 129))])
    filters = minimum_phase(gains, 128)
    assert np.allclose(filters[0], np.eye(1, 128)[0])
    assert np.allclose(np.log(np.abs(np.fft.rfft(filters[1], 256))), gains[1], atol=1e-3)
    energy = np.cumsum(filters[1] ** 2) / np.sum(filters[1] ** 2)
    assert energy[0] > 0.6
    # A zero outside the unit circle would be one of another phase.
    assert np.abs(np.roots(np.trim_zeros(filters[1].round(9), "b"))).max() < 1 + 1e-6


@pytest.mark.parametrize("kind", ["modulated", "plain", "bands"])
def test_a_stream_with_it_gives_what_it_draws_filtered(kind: str) -> None:
    waveform = speech_like(0.4)
    plain, stream = make_stream(kind, seed=2), make_stream(kind, seed=2, post_filter=0.5)
    part, seen = stream._post_filter, []
    assert part is not None
    push = part.push

    def kept(speech: np.ndarray, expected: torch.Tensor) -> np.ndarray:
        seen.append(expected)
        return push(speech, expected)

    part.push = kept  # type: ignore[method-assign]
    made, drawn = (np.concatenate([each.push(waveform), each.finish()]) for each in (stream, plain))
    assert len(made) == len(drawn) == len(waveform)
    hop = make_network(kind).config.conditioner.hop
    held = round((stream.latency - plain.latency) * RATE)
    assert held == 96
    wanted = post_filtered(
        drawn,
        torch.cat(seen)[: len(drawn) // hop].numpy(),
        hop=hop,
        strength=0.5,
        behind=stream._bank_delay,
        held=held // hop,
    )
    # Of the last frames, what follows is silence in one and what the model draws of silence in the other.
    assert np.allclose(made[: len(wanted) - 512], wanted[: len(wanted) - 512], atol=1e-5)
    assert np.abs(wanted - drawn[: len(wanted)]).max() > 0.001
