"""``vqspeech.training.dataset``: batches are a function of seed, step and rank, and of one speaker a segment."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_training import make_pack, make_preset

from vqspeech.errors import InputError
from vqspeech.pitch import relative
from vqspeech.training.dataset import Batch, PitchTrack, Segments, held_out
from vqspeech.training.pack import PITCH_HOP, Pack
from vqspeech.training.vqvae_task import VQVAETask

LENGTHS = {"ann": [30, 20], "bob": [100], "cyd": [7]}
PACK = make_pack(LENGTHS, copies=2, numbered=True)
RANGES = {0: (0, 50), 1: (50, 150), 2: (150, 157)}


def make_segments(**changes: Any) -> Segments:
    values: dict[str, Any] = {
        "batch": 8,
        "segment": 16,
        "crops": 5,
        "speaker_balance": 0.5,
        "perturb_probability": 0.0,
        "loudness": 0.0,
        "seed": 0,
    }
    return Segments(changes.pop("pack", PACK), **(values | changes))


def numbers(waveform: torch.Tensor) -> np.ndarray:
    return np.rint(waveform.double().numpy() * 32767).astype(int)


def same(a: Batch, b: Batch) -> bool:
    tensors = all(torch.equal(getattr(a, name), getattr(b, name)) for name in ("inputs", "targets", "speaker"))
    return tensors and a.first_frame == b.first_frame


@given(seed=st.integers(0, 2**32 - 1), step=st.integers(0, 10**6), rank=st.integers(0, 7))
def test_a_batch_depends_on_seed_step_and_rank_alone(seed: int, step: int, rank: int) -> None:
    segments = make_segments(seed=seed, rank=rank, perturb_probability=0.5, loudness=6.0)
    batch = segments(step)
    segments(step + 1)
    torch.manual_seed(step)
    assert same(segments(step), batch)
    assert same(make_segments(seed=seed, rank=rank, perturb_probability=0.5, loudness=6.0)(step), batch)
    assert not same(segments(step + 1), batch)
    assert not same(make_segments(seed=seed, rank=rank + 1, perturb_probability=0.5, loudness=6.0)(step), batch)
    assert not same(make_segments(seed=seed + 1, rank=rank, perturb_probability=0.5, loudness=6.0)(step), batch)


@given(step=st.integers(0, 1000), segment=st.integers(1, 120))
def test_a_segment_is_consecutive_speech_of_one_speaker_going_round_where_there_is_too_little(
    step: int, segment: int
) -> None:
    batch = make_segments(segment=segment)(step)
    assert batch.targets.shape == (8, segment + 1)
    assert batch.inputs.shape == (8, segment)
    for row, speaker in zip(numbers(batch.targets), batch.speaker.tolist(), strict=True):
        start, end = RANGES[speaker]
        expected = start + (row[0] - start + np.arange(segment + 1)) % (end - start)
        assert (row == expected).all()
        if end - start > segment:
            assert (np.diff(row) == 1).all()


@given(step=st.integers(0, 1000))
def test_inputs_are_the_targets_after_their_first_sample(step: int) -> None:
    batch = make_segments()(step)
    assert torch.equal(batch.inputs, batch.targets[:, 1:])


def test_every_segment_can_be_drawn_and_every_crop() -> None:
    batches = [make_segments(batch=64)(step) for step in range(40)]
    firsts = np.concatenate([numbers(batch.targets)[:, 0] for batch in batches])
    assert set(firsts[(firsts >= 50) & (firsts < 150)]) == set(range(50, 134))
    assert {batch.first_frame for batch in batches} == set(range(5))


def test_a_perturbed_copy_is_the_input_as_often_as_asked_and_never_the_target() -> None:
    segments = make_segments(perturb_probability=0.3, batch=100)
    perturbed = 0
    for step in range(20):
        batch = segments(step)
        assert (batch.targets >= 0).all()
        minus = (batch.inputs <= 0).all(1)
        assert torch.equal(batch.inputs.abs(), batch.targets[:, 1:])
        perturbed += int(minus.sum())
    assert perturbed / 2000 == pytest.approx(0.3, abs=0.05)


def test_without_perturbed_copies_the_original_is_the_input() -> None:
    pack = make_pack(LENGTHS, numbered=True)
    assert (make_segments(pack=pack, perturb_probability=1.0)(0).inputs >= 0).all()


def test_loudness_scales_the_inputs_by_one_factor_per_segment() -> None:
    batch = make_segments(loudness=6.0, batch=200)(0)
    factors = batch.inputs / batch.targets[:, 1:].clamp_min(1e-9)
    decibels = 20 * torch.log10(factors[:, -1])
    torch.testing.assert_close(factors[:, 5:], factors[:, -1:].expand(-1, 11), rtol=1e-4, atol=0)
    assert decibels.abs().max() <= 6.001
    assert decibels.max() > 4
    assert decibels.min() < -4


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_speakers_are_drawn_by_a_power_of_their_duration(exponent: float) -> None:
    segments = make_segments(speaker_balance=exponent, batch=1000)
    drawn = torch.cat([segments(step).speaker for step in range(10)])
    shares = np.array([50.0, 100.0, 7.0]) ** exponent
    counted = torch.bincount(drawn, minlength=3).numpy() / len(drawn)
    np.testing.assert_allclose(counted, shares / shares.sum(), atol=0.02)


def test_held_out_takes_the_middle_of_utterances_speakers_in_turn() -> None:
    batch = held_out(PACK, segment=10, count=10, speakers=("cyd", "bob", "ann"))
    assert batch.speaker.tolist() == [2, 1, 0, 2]
    targets = numbers(batch.targets)
    assert targets[0].tolist() == list(range(10, 21))
    assert targets[1].tolist() == list(range(95, 106))
    # Seven samples go round to make eleven.
    assert targets[2].tolist() == [*range(150, 157), *range(150, 154)]
    assert targets[3].tolist() == list(range(35, 46))
    assert torch.equal(batch.inputs, batch.targets[:, 1:])


def test_held_out_is_always_the_same_and_no_more_than_asked_for() -> None:
    batches = [held_out(PACK, segment=10, count=2, speakers=("ann", "bob", "cyd")) for _ in range(2)]
    assert same(*batches)
    assert len(batches[0].speaker) == 2


def test_held_out_leaves_out_speakers_the_model_does_not_know() -> None:
    assert held_out(PACK, segment=10, count=9, speakers=("bob",)).speaker.tolist() == [0]


def test_a_dev_part_without_a_known_speaker_is_refused() -> None:
    with pytest.raises(InputError, match="speaker") as caught:
        VQVAETask(make_preset(), make_pack(), make_pack({"zoe": [3000]}))
    assert caught.value.hint


def with_pitch(pack: Pack) -> Pack:
    """F0 that tells where it is from: 100 Hz and a tenth more for each value."""
    grid = 1000 + np.arange(-(-len(pack.samples) // PITCH_HOP))
    return dataclasses.replace(pack, pitch=grid.astype(np.int16))


def test_pitch_is_that_of_the_segment() -> None:
    pack = with_pitch(make_pack({"ann": [4000, 3000], "bob": [5000]}, numbered=True))
    hop, segment = 40, 800
    track = PitchTrack(pack, hop)
    batch = make_segments(pack=pack, segment=segment, pitch=track)(0)
    assert batch.pitch is not None
    assert batch.pitch.shape == (8, segment // hop, 3)
    for row, speaker in enumerate(batch.speaker.tolist()):
        centres = numbers(batch.targets[row])[1:][hop // 2 :: hop]
        expected = relative(pack.f0(centres), track.statistics(speaker))
        np.testing.assert_allclose(batch.pitch[row].numpy(), expected)


def test_pitch_is_withheld_from_whole_segments() -> None:
    pack = with_pitch(make_pack({"ann": [4000]}, numbered=True))
    batch = make_segments(pack=pack, segment=800, batch=200, pitch=PitchTrack(pack, 40), pitch_dropout=0.3)(0)
    assert batch.pitch is not None
    given = batch.pitch[:, :, 2]
    assert (given == given[:, :1]).all()
    assert given[:, 0].mean() == pytest.approx(0.7, abs=0.1)
    assert not batch.pitch[given[:, 0] == 0].any()


def test_a_pack_without_pitch_is_named_where_it_is_wanted() -> None:
    with pytest.raises(InputError, match="no pitch"):
        PitchTrack(PACK, 8)
