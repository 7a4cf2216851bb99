"""Codes, pitch and waveforms that a caller gives: checked, and in the form that the network takes."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import ArrayLike

from vqspeech.errors import InputError
from vqspeech.inference.inputs import checked_codes, checked_pitch, waveform_of


@pytest.mark.parametrize("codes", [[0, 7], np.array([3], np.uint8), (1, 2, 3)])
def test_codes_become_int64(codes: ArrayLike) -> None:
    found = checked_codes(codes, 8)
    assert found.dtype == np.int64
    assert found.tolist() == np.asarray(codes).tolist()


@pytest.mark.parametrize(
    ("codes", "problem"),
    [
        ([], "shape"),
        ([[1]], "shape"),
        ([0.5], "integers"),
        (["a"], "integers"),
        ([-1], "outside"),
        ([8], "outside 0 to 7"),
    ],
)
def test_what_is_no_sequence_of_codes(codes: ArrayLike, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        checked_codes(codes, 8)


def test_pitch_has_the_shape_of_the_codes() -> None:
    assert checked_pitch(np.zeros((4, 3)), (4, 3)).dtype == np.float32
    for wrong in (np.zeros((3, 3)), np.zeros(12), np.full((4, 3), np.nan)):
        with pytest.raises(InputError, match="pitch of shape"):
            checked_pitch(wrong, (4, 3))


def test_a_part_of_a_waveform_ends_at_its_end() -> None:
    waveform = np.arange(100, dtype=np.float32)
    np.testing.assert_array_equal(waveform_of(waveform, 100, start=0.5, end=1.4), waveform[50:])
    np.testing.assert_array_equal(waveform_of(waveform, 100, start=0.25, end=0.5), waveform[25:50])
    for start, end in ((1.0, None), (-0.1, None), (0.5, 0.5), (0.0, 1.6)):
        with pytest.raises(InputError, match="asked for"):
            waveform_of(waveform, 100, start=start, end=end)
