from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vqspeech.generation.uniforms import Uniforms


@given(seed=st.integers(0, 2**128 - 1), position=st.integers(0, 300), cuts=st.lists(st.integers(0, 50), max_size=5))
def test_a_number_depends_on_seed_and_position_alone(seed: int, position: int, cuts: list[int]) -> None:
    whole = Uniforms(seed).draw(600)
    later = Uniforms(seed, position)
    drawn = np.concatenate([later.draw(count) for count in [*cuts, 7]])
    assert np.array_equal(drawn, whole[position : position + len(drawn)])


def test_numbers_are_uniform_and_of_each_seed_others() -> None:
    numbers = Uniforms(1).draw(100_000)
    assert numbers.dtype == np.float32
    assert 0 <= numbers.min() <= numbers.max() < 1
    assert abs(np.histogram(numbers, bins=10, range=(0, 1))[0] - 10_000).max() < 500
    assert not np.array_equal(numbers, Uniforms(2).draw(100_000))
