"""What duration penalties do to units that flicker between two codes of a phone."""

from __future__ import annotations

import numpy as np
import pytest

from vqspeech.alignment import Interval
from vqspeech.codes import CodeInfo, Codes
from vqspeech.evaluation import phonemes
from vqspeech.evaluation.frames import Frames, pair
from vqspeech.evaluation.phonemes import penalty_tradeoff as module
from vqspeech.evaluation.phonemes.penalty_tradeoff import trade

#: Codes 2 p and 2 p + 1 are those of phone p, and lie near each other.
CODEBOOK = np.repeat(3 * np.eye(4), 2, 0) + 0.1 * np.tile([[1.0], [-1.0]], (4, 1))


def flickering(utterances: int = 4) -> Frames:
    generator = np.random.default_rng(0)
    alignment, sequences = {}, {}
    for number in range(utterances):
        phones = [0, 1, 2, 3, 0, 2]
        alignment[f"s_{number}"] = [Interval(0.2 * i, 0.2 * i + 0.2, "abst"[phone]) for i, phone in enumerate(phones)]
        sequences[f"s_{number}"] = (2 * np.repeat(phones, 10) + generator.integers(0, 2, 60)).astype(np.int32)
    return pair(Codes(CodeInfo(8, 0.02, 0.01), sequences), alignment).frames


def test_a_penalty_joins_what_lies_near() -> None:
    part = flickering()
    points = trade(part, part, CODEBOOK, penalties=(0, 0.1, 1000))
    assert [point.penalty for point in points] == [0, 0.1, 1000]
    first, joined, one = points
    scores = phonemes.score(part, part)
    assert scores.boundary is not None
    assert (first.per, first.accuracy, first.r_value) == (scores.per, scores.accuracy, scores.boundary.r_value)
    assert first.bitrate_runs == pytest.approx(scores.bitrate_runs)
    # Six phones of 0.2 s: with the flicker gone, five units per second and every boundary is right.
    assert joined.units_per_second == pytest.approx(5)
    assert joined.r_value == pytest.approx(1)
    assert joined.per == 0
    assert first.units_per_second > 15
    assert first.bitrate_runs > joined.bitrate_runs > one.bitrate_runs
    assert one.units_per_second == pytest.approx(1 / 1.2)


def test_of_many_frames_the_first_utterances_count(monkeypatch: pytest.MonkeyPatch) -> None:
    part = flickering()
    monkeypatch.setattr(module, "MOST_FRAMES", 130)
    (point,) = trade(part, None, CODEBOOK, penalties=(0,))
    (of_two,) = trade(part.first(2), None, CODEBOOK, penalties=(0,))
    assert point == of_two
