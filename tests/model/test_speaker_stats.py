"""``vqspeech.model.speaker_stats``: codes brought to a voice, held to the formula, term by term."""

from __future__ import annotations

import pytest
import torch
from small_models import make_config, make_model
from torch import Tensor

from vqspeech.model.quantizer import Quantizer
from vqspeech.model.speaker_stats import SHRINKAGE, SpeakerStats, SpeakerStatsTable, adapt_codes

RATE = 100.0


@pytest.fixture
def quantizer() -> Quantizer:
    return make_model().quantizer


def vectors(n: int, seed: int = 0, offset: float = 0.0) -> Tensor:
    return torch.randn(n, 5, generator=torch.Generator().manual_seed(seed)) + offset


def measured(quantizer: Quantizer) -> SpeakerStatsTable:
    speaker_stats = SpeakerStatsTable(3, dimension=5, codes=8)
    for speaker in range(3):
        speaker_stats.update(speaker, vectors(400, seed=speaker, offset=0.5 * speaker), quantizer)
    return speaker_stats


def everywhere(z: Tensor) -> Tensor:
    return torch.ones(len(z), dtype=torch.bool)


@pytest.mark.parametrize(("mean_shift", "unigram_prior"), [(1.0, 0.05), (0.5, 0.2), (0.0, 0.1), (1.0, 0.0)])
def test_the_code_is_the_likeliest_of_the_moved_vector(mean_shift: float, unigram_prior: float) -> None:
    changes = {"mean_shift": mean_shift, "unigram_prior": unigram_prior}
    quantizer = make_model(make_config(quantizer=changes)).quantizer
    stats = measured(quantizer).blended({1: 1.0})
    z = vectors(300, seed=9, offset=-0.3)
    codes = adapt_codes(z, everywhere(z), stats, quantizer, code_rate=RATE)
    shift = mean_shift * (stats.mean - z.mean(0)) * 300 / (300 + SHRINKAGE * RATE)
    for vector, code in zip(z, codes, strict=True):
        errors = [float((vector + shift - e).square().mean()) for e in quantizer.codebook.detach()]
        costs = [e - unigram_prior * float(p.log()) for e, p in zip(errors, stats.unigram, strict=True)]
        assert code == min(range(8), key=costs.__getitem__)


def test_what_all_of_a_recording_has_in_common_leaves_a_long_one(quantizer: Quantizer) -> None:
    stats = measured(quantizer).blended({0: 1.0})
    z = vectors(40_000, seed=3)
    for offset in (0.3, -1.0):
        moved = adapt_codes(z + offset, everywhere(z), stats, quantizer, code_rate=RATE)
        assert (moved != adapt_codes(z, everywhere(z), stats, quantizer, code_rate=RATE)).float().mean() < 0.01


def test_a_single_code_is_hardly_moved(quantizer: Quantizer) -> None:
    even = torch.full((8,), 1 / 8)
    for code, vector in enumerate(quantizer.codebook):
        stats = SpeakerStats(vector - 10.0, even)
        near = quantizer.nearest(vector[None] - 10.0 / (1 + SHRINKAGE * RATE))
        assert adapt_codes(vector[None], torch.tensor([True]), stats, quantizer, code_rate=RATE) == near, code


def test_the_mean_is_taken_where_there_is_speech(quantizer: Quantizer) -> None:
    stats = measured(quantizer).blended({0: 1.0})
    speech, silence = vectors(200, seed=4), vectors(500, seed=5, offset=7.0)
    both = torch.cat([silence, speech])
    where = torch.arange(700) >= 500
    alone = adapt_codes(speech, everywhere(speech), stats, quantizer, code_rate=RATE)
    assert torch.equal(adapt_codes(both, where, stats, quantizer, code_rate=RATE)[500:], alone)


def test_without_speech_nothing_is_moved(quantizer: Quantizer) -> None:
    z = vectors(50, offset=2.0)
    stats = SpeakerStats(torch.full((5,), 100.0), torch.full((8,), 1 / 8))
    assert torch.equal(adapt_codes(z, ~everywhere(z), stats, quantizer, code_rate=RATE), quantizer.nearest(z))


def test_a_voice_is_measured_by_its_mean_and_its_codes_and_none_is_impossible(quantizer: Quantizer) -> None:
    speaker_stats = SpeakerStatsTable(2, dimension=5, codes=8)
    assert not speaker_stats.computed([0])
    z = quantizer.codebook[[3, 3, 5]]
    speaker_stats.update(1, z, quantizer)
    assert speaker_stats.computed([1])
    assert not speaker_stats.computed([0, 1])
    stats = speaker_stats.blended({1: 1.0})
    torch.testing.assert_close(stats.mean, z.mean(0))
    torch.testing.assert_close(stats.unigram, torch.tensor([1.0, 1, 1, 3, 1, 2, 1, 1]) / 11)


def test_a_blend_has_statistics_between_those_of_its_speakers(quantizer: Quantizer) -> None:
    speaker_stats = measured(quantizer)
    blend, first, last = (speaker_stats.blended(weights) for weights in ({0: 0.25, 2: 0.75}, {0: 1.0}, {2: 1.0}))
    torch.testing.assert_close(blend.mean, 0.25 * first.mean + 0.75 * last.mean)
    torch.testing.assert_close(blend.unigram, 0.25 * first.unigram + 0.75 * last.unigram)
    assert float(blend.unigram.sum()) == pytest.approx(1.0)


def test_the_mean_of_a_speaker_is_taken_where_there_is_speech(quantizer: Quantizer) -> None:
    table = SpeakerStatsTable(1, dimension=5, codes=8)
    both = torch.cat([vectors(500, seed=5, offset=7.0), vectors(200, seed=4)])
    table.update(0, both, quantizer, torch.arange(700) >= 500)
    torch.testing.assert_close(table.means[0], both[500:].mean(0))
    table.update(0, both, quantizer, torch.zeros(700, dtype=torch.bool))
    torch.testing.assert_close(table.means[0], both.mean(0))
