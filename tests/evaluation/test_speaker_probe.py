"""The speaker probe finds speakers that show in the codes, and none where they do not."""

from __future__ import annotations

import numpy as np
import pytest

from vqspeech.errors import InputError
from vqspeech.evaluation import speaker_probe


def corpus(shared: bool, seed: int = 0) -> tuple[list[np.ndarray], list[str]]:
    generator = np.random.default_rng(seed)
    usage = generator.dirichlet(np.full(32, 0.3), size=1 if shared else 4)
    names = [f"s{index % 4}" for index in range(48)]
    return [generator.choice(32, 200, p=usage[0 if shared else int(name[1])]) for name in names], names


def test_a_speaker_who_shows_in_the_codes_is_named() -> None:
    scores = speaker_probe.evaluate(*corpus(shared=False), codebook_size=32)
    assert scores.accuracy == scores.balanced_accuracy == 1
    assert (scores.speakers, scores.utterances, scores.chance, scores.left_out) == (4, 48, 0.25, 0)


def test_codes_without_the_speaker_are_near_chance() -> None:
    assert speaker_probe.evaluate(*corpus(shared=True), codebook_size=32).accuracy < 0.5


def test_speakers_with_one_utterance_are_left_out() -> None:
    sequences, names = corpus(shared=False)
    scores = speaker_probe.evaluate([*sequences, np.array([1, 2])], [*names, "alone"], codebook_size=32)
    assert (scores.speakers, scores.left_out) == (4, 1)


def test_one_speaker_is_no_task() -> None:
    with pytest.raises(InputError, match="two such speakers"):
        speaker_probe.evaluate([[0, 1], [1]], ["s", "s"], codebook_size=2)
    with pytest.raises(InputError, match="1 utterance, but 2 speakers"):
        speaker_probe.evaluate([[0, 1]], ["s", "t"], codebook_size=2)


def test_features_are_probed_as_codes_are() -> None:
    sequences, names = corpus(shared=False)
    found = speaker_probe.evaluate_features(speaker_probe.histograms(sequences, 32), names)
    assert found == speaker_probe.evaluate(sequences, names, codebook_size=32)
    # Four speakers are too few to draw from: utterances are drawn.
    assert found.interval == (1, 1)


def test_statistics_of_utterances() -> None:
    features = np.array([[0, 1], [2, 1], [10, 5]], np.float32)
    found = speaker_probe.statistics(features, np.array([0, 2, 3]))
    # Means 1, 1 and 10, 5; spreads 1, 0 and 0, 0; of two utterances, each column is -1 and 1, or the same.
    assert found == pytest.approx(np.array([[-1, -1, 1, 0], [1, 1, -1, 0]]))


def test_histograms_are_of_unit_length() -> None:
    found = speaker_probe.histograms([[0, 0, 0, 1], [2]], 4)
    assert found == pytest.approx(np.array([[0.75**0.5, 0.5, 0, 0], [0, 0, 1, 0]]))
