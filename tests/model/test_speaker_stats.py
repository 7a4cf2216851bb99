"""``vqspeech.model.speaker_stats``: codes brought to a voice, held to the formula, term by term."""

from __future__ import annotations

import pytest
import torch
from small_models import make_model
from torch import Tensor

from vqspeech.model.quantizer import Quantizer
from vqspeech.model.speaker_stats import PREFERENCE, SHORT, Habits, Matching, matched_codes

RATE = 100.0


@pytest.fixture
def quantizer() -> Quantizer:
    return make_model().quantizer


def vectors(n: int, seed: int = 0, offset: float = 0.0) -> Tensor:
    return torch.randn(n, 5, generator=torch.Generator().manual_seed(seed)) + offset


def measured(quantizer: Quantizer) -> Matching:
    matching = Matching(3, dimension=5, codes=8)
    for speaker in range(3):
        matching.learn(speaker, vectors(400, seed=speaker, offset=0.5 * speaker), quantizer)
    return matching


def everywhere(z: Tensor) -> Tensor:
    return torch.ones(len(z), dtype=torch.bool)


def test_the_code_is_the_likeliest_of_the_moved_vector(quantizer: Quantizer) -> None:
    habits = measured(quantizer).habits({1: 1.0})
    z = vectors(300, seed=9, offset=-0.3)
    codes = matched_codes(z, everywhere(z), habits, quantizer, code_rate=RATE)
    shift = (habits.mean - z.mean(0)) * 300 / (300 + SHORT * RATE)
    for vector, code in zip(z, codes, strict=True):
        errors = [float((vector + shift - e).square().mean()) for e in quantizer.codebook.detach()]
        costs = [e - PREFERENCE * float(p.log()) for e, p in zip(errors, habits.shares, strict=True)]
        assert code == min(range(8), key=costs.__getitem__)


def test_what_all_of_a_recording_has_in_common_leaves_a_long_one(quantizer: Quantizer) -> None:
    habits = measured(quantizer).habits({0: 1.0})
    z = vectors(40_000, seed=3)
    for offset in (0.3, -1.0):
        moved = matched_codes(z + offset, everywhere(z), habits, quantizer, code_rate=RATE)
        assert (moved != matched_codes(z, everywhere(z), habits, quantizer, code_rate=RATE)).float().mean() < 0.01


def test_a_single_code_is_hardly_moved(quantizer: Quantizer) -> None:
    even = torch.full((8,), 1 / 8)
    for code, vector in enumerate(quantizer.codebook):
        habits = Habits(vector - 10.0, even)
        near = quantizer.nearest(vector[None] - 10.0 / (1 + SHORT * RATE))
        assert matched_codes(vector[None], torch.tensor([True]), habits, quantizer, code_rate=RATE) == near, code


def test_the_mean_is_taken_where_there_is_speech(quantizer: Quantizer) -> None:
    habits = measured(quantizer).habits({0: 1.0})
    speech, silence = vectors(200, seed=4), vectors(500, seed=5, offset=7.0)
    both = torch.cat([silence, speech])
    where = torch.arange(700) >= 500
    alone = matched_codes(speech, everywhere(speech), habits, quantizer, code_rate=RATE)
    assert torch.equal(matched_codes(both, where, habits, quantizer, code_rate=RATE)[500:], alone)


def test_without_speech_nothing_is_moved(quantizer: Quantizer) -> None:
    z = vectors(50, offset=2.0)
    habits = Habits(torch.full((5,), 100.0), torch.full((8,), 1 / 8))
    assert torch.equal(matched_codes(z, ~everywhere(z), habits, quantizer, code_rate=RATE), quantizer.nearest(z))


def test_a_voice_is_measured_by_its_mean_and_its_codes_and_none_is_impossible(quantizer: Quantizer) -> None:
    matching = Matching(2, dimension=5, codes=8)
    assert not matching.known([0])
    z = quantizer.codebook[[3, 3, 5]]
    matching.learn(1, z, quantizer)
    assert matching.known([1])
    assert not matching.known([0, 1])
    habits = matching.habits({1: 1.0})
    torch.testing.assert_close(habits.mean, z.mean(0))
    torch.testing.assert_close(habits.shares, torch.tensor([1.0, 1, 1, 3, 1, 2, 1, 1]) / 11)


def test_a_blend_has_habits_between_those_of_its_voices(quantizer: Quantizer) -> None:
    matching = measured(quantizer)
    blend, first, last = (matching.habits(shares) for shares in ({0: 0.25, 2: 0.75}, {0: 1.0}, {2: 1.0}))
    torch.testing.assert_close(blend.mean, 0.25 * first.mean + 0.75 * last.mean)
    torch.testing.assert_close(blend.shares, 0.25 * first.shares + 0.75 * last.shares)
    assert float(blend.shares.sum()) == pytest.approx(1.0)
