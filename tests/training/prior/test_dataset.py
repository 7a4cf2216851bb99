"""``vqspeech.training.prior.dataset``: what a prior sees is true to the sequences, and a function of the step alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vqspeech.errors import InputError
from vqspeech.training.prior.dataset import IGNORED, CodeData, CodeWindows

CODES = 1000


def numbered(*lengths: int) -> CodeData:
    """Sequences of which every code tells sequence and place: 100 times the one plus the other."""
    sequences = {f"u{n}": np.arange(length, dtype=np.int32) + 100 * n for n, length in enumerate(lengths)}
    return CodeData.collect(sequences, {name: f"s{name[1]}" for name in sequences}, codes=CODES, made_by=None)


def crops(data: CodeData, **options: float) -> CodeWindows:
    defaults = {"batch": 8, "crop": 10, "speaker_dropout": 0.0, "seed": 3}
    return CodeWindows(data, **(defaults | options))  # type: ignore[arg-type]


def test_a_crop_is_a_span_of_one_sequence_with_the_code_before_it() -> None:
    data = numbered(90, 40, 10, 4)
    for step in range(50):
        batch = crops(data)(step)
        for previous, target, speaker in zip(batch.previous, batch.target, batch.speaker, strict=True):
            kept = target[target != IGNORED]
            assert torch.equal(kept, torch.arange(int(kept[0]), int(kept[0]) + len(kept)))
            sequence, place = divmod(int(kept[0]), 100)
            assert speaker == sequence
            assert len(kept) == min(10, len(data.sequences[sequence]))
            assert previous[0] == (kept[0] - 1 if place else CODES)
            assert torch.equal(previous[1 : len(kept)], kept[:-1])


def test_short_sequences_are_whole() -> None:
    batch = crops(numbered(3, 7))(0)
    assert batch.target.shape[1] <= 7
    for target, speaker in zip(batch.target, batch.speaker, strict=True):
        assert (target != IGNORED).sum() == (3, 7)[speaker]


def test_every_code_is_seen_about_as_often_the_first_and_last_too() -> None:
    counts = np.zeros(60)
    maker = crops(numbered(60), crop=20)
    for step in range(300):
        target = maker(step).target.flatten()
        counts += np.bincount(target[target != IGNORED], minlength=60)
    assert counts.min() > 0.4 * counts.mean()


def test_longer_sequences_are_drawn_more_often() -> None:
    drawn = np.bincount(torch.cat([crops(numbered(90, 30))(step).speaker for step in range(200)]))
    assert drawn[0] / drawn[1] == pytest.approx(3, rel=0.2)


def test_a_batch_is_a_function_of_seed_rank_and_step() -> None:
    data = numbered(90, 40)

    def target(step: int, **options: int) -> list[list[int]]:
        return crops(data, **options)(step).target.tolist()

    assert target(5) == target(5)
    assert target(5) != target(6)
    assert target(5) != target(5, seed=4)
    assert target(5) != target(5, rank=1)


def test_speakers_are_left_out_as_often_as_told() -> None:
    maker = crops(numbered(90, 40), speaker_dropout=0.3)
    told = torch.cat([maker(step).speaker for step in range(100)])
    assert (told == 2).float().mean() == pytest.approx(0.3, abs=0.06)


def test_speakers_that_are_not_known_are_nobody() -> None:
    data = CodeData.collect({"a": np.ones(2, np.int32)}, {"a": "zoe"}, codes=3, made_by=None, names=("ann",))
    assert data.speakers == (1,)
    assert CodeData.collect({"a": np.ones(2, np.int32)}, None, codes=3, made_by=None).names == ()


def test_data_that_cannot_be_used_are_refused() -> None:
    with pytest.raises(InputError, match="no codes"):
        CodeData.collect({"a": np.zeros(0, np.int32)}, None, codes=3, made_by=None)
    with pytest.raises(InputError, match="utterance a has no speaker"):
        CodeData.collect({"a": np.ones(2, np.int32)}, {"b": "ann"}, codes=3, made_by=None)
