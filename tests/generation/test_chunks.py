"""A long utterance is cut in its pauses, by itself alone, and its chunks join without a seam."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from vqspeech.generation.chunks import LONGEST, PAUSE, SHORTEST, Chunk, overlap_add, split_at_pauses, warm_up

RATE = 25.0
WARM_UP = 6


def speech(seconds: float, pauses: list[tuple[float, float]] | None = None, seed: int = 0) -> NDArray[np.float32]:
    """Loudness of speech that falls silent from each first second to each second one."""
    loudness = np.random.default_rng(seed).uniform(0, 1, round(seconds * RATE)).astype(np.float32)
    for start, end in pauses or []:
        loudness[round(start * RATE) : round(end * RATE)] -= 2
    return loudness


@given(seconds=st.floats(0, 100), seed=st.integers(0, 99))
def test_chunks_cover_the_utterance_and_none_is_short_or_long(seconds: float, seed: int) -> None:
    loudness = speech(seconds, seed=seed)
    chunks = split_at_pauses(loudness, code_rate=RATE, warm_up=WARM_UP)
    assert chunks[0].start == 0
    assert chunks[-1].stop == len(loudness)
    for chunk, following in itertools.pairwise(chunks):
        assert chunk.stop == following.start
        assert SHORTEST * RATE <= chunk.stop - chunk.start <= LONGEST * RATE
    for chunk in chunks:
        assert chunk.begin == max(0, chunk.start - WARM_UP)
        assert chunk.stop - chunk.start <= (SHORTEST + LONGEST) * RATE
    if len(chunks) > 1:
        assert chunks[-1].stop - chunks[-1].start > SHORTEST * RATE


def test_what_is_short_stays_whole() -> None:
    limit = SHORTEST + LONGEST
    assert split_at_pauses(speech(limit), code_rate=RATE, warm_up=WARM_UP) == [Chunk(0, 0, round(limit * RATE))]
    assert len(split_at_pauses(speech(limit + 1), code_rate=RATE, warm_up=WARM_UP)) == 2


def test_cuts_fall_into_the_middle_of_pauses() -> None:
    pauses = [(5.0, 5.4), (9.0, 9.4), (16.0, 16.4), (22.0, 22.4)]
    chunks = split_at_pauses(speech(31, pauses), code_rate=RATE, warm_up=WARM_UP)
    assert len(chunks) == len(pauses) + 1
    for chunk, (start, end) in zip(chunks[1:], pauses, strict=True):
        assert start + PAUSE / 2 - 1 / RATE <= chunk.start / RATE <= end - PAUSE / 2 + 1 / RATE


def test_the_closure_of_a_plosive_is_no_pause() -> None:
    closure, pause = (4.0, 4.08), (6.0, 6.3)
    loudness = speech(14, [closure, pause])
    loudness[round(4.0 * RATE) : round(4.08 * RATE)] -= 1
    (_, second) = split_at_pauses(loudness, code_rate=RATE, warm_up=WARM_UP)
    assert pause[0] < second.start / RATE < pause[1]


@given(seed=st.integers(0, 99))
def test_rounding_of_another_processor_moves_no_cut(seed: int) -> None:
    loudness = np.round(speech(60, seed=seed), 1)
    noise = np.random.default_rng(seed).uniform(-1e-5, 1e-5, len(loudness))
    assert split_at_pauses(loudness, code_rate=RATE, warm_up=1) == split_at_pauses(
        loudness + noise, code_rate=RATE, warm_up=1
    )


def test_of_steady_loudness_the_first_place_is_taken() -> None:
    chunks = split_at_pauses(np.zeros(round(20 * RATE)), code_rate=RATE, warm_up=WARM_UP)
    assert [chunk.start / RATE for chunk in chunks] == [0, 3, 6, 9]


@pytest.mark.parametrize("code_hop", [1, 64, 640, 1_000_000])
def test_warming_up_takes_the_receptive_field_and_more(code_hop: int) -> None:
    codes = warm_up(receptive_field=2047, sample_rate=16_000, code_hop=code_hop)
    assert 2047 + 0.1 * 16_000 <= codes * code_hop < 2047 + 0.2 * 16_000 + code_hop


HOP, FADE = 10, 20
PARTS = [Chunk(0, 0, 30), Chunk(20, 30, 60), Chunk(55, 60, 100)]


def joined(waveforms: list[NDArray[np.float32]], order: list[int]) -> NDArray[np.float32]:
    spoken = np.zeros(PARTS[-1].stop * HOP, np.float32)
    for i in order:
        overlap_add(spoken, waveforms[i], PARTS[i], code_hop=HOP, fade=FADE)
    return spoken


def test_chunks_are_kept_as_they_are_but_where_they_fade() -> None:
    waveforms = [np.full((chunk.stop - chunk.begin) * HOP, value, np.float32) for value, chunk in enumerate(PARTS, 1)]
    copies = [waveform.copy() for waveform in waveforms]
    spoken = joined(waveforms, [0, 1, 2])
    assert (spoken[: 300 - FADE] == 1).all()
    assert (spoken[300 : 600 - FADE] == 2).all()
    assert (spoken[600:] == 3).all()
    for seam in (300, 600):
        fading = spoken[seam - FADE - 1 : seam + 1]
        assert (np.diff(fading) > 0).all()
    for waveform, copy in zip(waveforms, copies, strict=True):
        assert np.array_equal(waveform, copy)


@given(order=st.permutations([0, 1, 2]))
def test_the_order_in_which_chunks_are_done_does_not_matter(order: list[int]) -> None:
    generator = np.random.default_rng(1)
    waveforms = [generator.standard_normal((p.stop - p.begin) * HOP).astype(np.float32) for p in PARTS]
    assert np.array_equal(joined(waveforms, order), joined(waveforms, [0, 1, 2]))


def test_where_two_chunks_are_the_same_there_is_no_seam() -> None:
    whole = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    spoken = joined([whole[chunk.begin * HOP : chunk.stop * HOP] for chunk in PARTS], [0, 1, 2])
    np.testing.assert_allclose(spoken, whole, rtol=1e-5, atol=1e-6)


def test_a_seam_between_independent_noises_is_a_short_dip_of_less_than_3_db() -> None:
    generator = np.random.default_rng(2)
    power = np.zeros(1000)
    for _ in range(400):
        waveforms = [generator.standard_normal((p.stop - p.begin) * HOP).astype(np.float32) for p in PARTS]
        power += joined(waveforms, [0, 1, 2]) ** 2 / 400
    for seam in (300, 600):
        fading = power[seam - FADE : seam]
        assert 0.5 < fading.mean() < 1
        assert fading.max() < 1.2
