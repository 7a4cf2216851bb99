"""``vqspeech.training.units.dataset``: segments lie on the grid of their targets, each a function of its step."""

from __future__ import annotations

import numpy as np
from small_units import make_pack

from vqspeech.training.units.dataset import TargetSegments

HOP = 320
PACK = make_pack({"ann": [1.0, 0.7], "bob": [0.4]})


def segments(**changes: float) -> TargetSegments:
    numbers = np.arange(len(PACK.samples) // HOP, dtype=np.int16)
    options = {"speaker_balance": 0.0, "loudness": 0.0} | changes
    return TargetSegments(PACK, numbers, hop=HOP, batch=16, segment=HOP * 30, seed=4, **options)


def test_the_samples_of_each_position_are_those_that_its_target_is_of() -> None:
    batch = segments()(0)
    assert batch.waveform.shape == (16, HOP * 30)
    for row, targets in zip(batch.waveform, batch.targets.tolist(), strict=True):
        for place, position in enumerate(targets):
            own = PACK.samples[position * HOP : (position + 1) * HOP].astype(np.float32) / 32767
            np.testing.assert_array_equal(row[place * HOP : (place + 1) * HOP].numpy(), own)


def test_a_segment_is_of_one_speaker_and_a_short_one_is_repeated() -> None:
    border = int(PACK.speaker_ends[0]) / HOP
    for targets in segments()(1).targets.tolist():
        assert all(t < border for t in targets) or all(t >= border - 1 for t in targets)
        if targets[0] > border:
            assert len(set(targets)) < len(targets)  # 0.4 s in a segment of 0.6 s


def test_a_step_is_always_the_same_and_steps_differ() -> None:
    first, again, other = segments(loudness=6.0)(2), segments(loudness=6.0)(2), segments(loudness=6.0)(3)
    assert first.waveform.equal(again.waveform)
    assert not first.waveform.equal(other.waveform)
    quiet = segments()(2)
    gains = (first.waveform.square().mean(1) / quiet.waveform.square().mean(1)).sqrt()
    assert gains.max() <= 2.0
    assert gains.min() >= 0.5
    assert gains.std() > 0.1
