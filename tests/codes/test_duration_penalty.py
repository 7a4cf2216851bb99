"""Duration-penalised codes against every segmentation there is."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vqspeech.codes import duration_penalty
from vqspeech.codes.duration_penalty import join_by_duration, penalised_codes, scale_of


def plain_join(distances: np.ndarray, penalty: float) -> float:
    """The least cost over every segmentation, as the paper writes it."""
    frames = len(distances)
    best = math.inf
    for cuts in itertools.product([False, True], repeat=frames - 1):
        edges = [0, *(index + 1 for index, cut in enumerate(cuts) if cut), frames]
        cost = 0.0
        for start, end in itertools.pairwise(edges):
            cost += distances[start:end].sum(0).min() - penalty * (end - start - 1)
        best = min(best, cost)
    return best


@settings(max_examples=40)
@given(st.integers(1, 7), st.integers(1, 4), st.floats(0, 2), st.integers(0, 10_000))
def test_joined_units_have_the_least_cost_of_all_segmentations(
    frames: int, size: int, penalty: float, seed: int
) -> None:
    distances = np.random.default_rng(seed).random((frames, size))
    path = join_by_duration(distances, penalty=penalty)
    changes = np.count_nonzero(path[1:] != path[:-1])
    cost = distances[np.arange(frames), path].sum() - penalty * (frames - 1 - changes)
    assert cost == pytest.approx(plain_join(distances, penalty))


@pytest.mark.parametrize("size", [3, 8, 17])
def test_vectors_in_small_blocks_have_the_codes_of_all_distances(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(size)
    vectors, codebook = generator.normal(size=(50, 4)), generator.normal(size=(size, 4))
    distances = ((vectors[:, None] - codebook) ** 2).sum(-1)
    pairs = [((one - other) ** 2).sum() for one in codebook for other in codebook]
    assert scale_of(codebook) == pytest.approx(np.mean(pairs))
    monkeypatch.setattr(duration_penalty, "_AT_ONCE", 3 * size)
    for penalty in (0.0, 0.1, 0.7):
        expected = join_by_duration(distances, penalty=penalty * np.mean(pairs))
        assert penalised_codes(vectors, codebook, penalty=penalty).tolist() == expected.tolist()
    assert penalised_codes(vectors, codebook, penalty=0).tolist() == distances.argmin(1).tolist()


def test_no_frames() -> None:
    assert join_by_duration(np.empty((0, 4)), penalty=1).size == 0
    assert penalised_codes(np.empty((0, 2)), np.eye(2), penalty=1).size == 0
