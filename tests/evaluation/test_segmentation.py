"""Boundary scores by hand and against every possible matching; joined units against every possible segmentation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from vqspeech.evaluation import segmentation
from vqspeech.evaluation.segmentation import BoundaryCounts

times = st.lists(st.integers(0, 40).map(lambda tick: tick / 100), max_size=12)


def test_worked_example() -> None:
    # Found: 0.10 (at 0.11) and 0.30 (at 0.30); missed: 0.20; 0.25 and 0.40 are no boundaries.
    counts = segmentation.count_hits([0.1, 0.2, 0.3], [0.11, 0.25, 0.3, 0.4])
    assert counts == BoundaryCounts(reference=3, proposed=4, hits=2)
    scores = segmentation.scores(counts)
    assert scores.precision == 0.5
    assert scores.recall == pytest.approx(2 / 3)
    assert scores.f1 == pytest.approx(4 / 7)
    assert scores.over_segmentation == pytest.approx(1 / 3)
    r1 = math.sqrt((1 - 2 / 3) ** 2 + (1 / 3) ** 2)
    r2 = (-1 / 3 + 2 / 3 - 1) / math.sqrt(2)
    assert scores.r_value == pytest.approx(1 - (r1 + abs(r2)) / 2)


def test_a_perfect_segmentation_scores_1() -> None:
    scores = segmentation.evaluate([[0.1, 0.2], [0.3]], [[0.1, 0.2], [0.3]])
    assert (scores.precision, scores.recall, scores.f1, scores.over_segmentation, scores.r_value) == (1, 1, 1, 0, 1)


def test_nothing_proposed_and_nothing_to_find() -> None:
    nothing = segmentation.evaluate([[0.1]], [[]])
    assert (nothing.precision, nothing.recall, nothing.f1, nothing.over_segmentation) == (0, 0, 0, -1)
    assert segmentation.evaluate([[]], [[]]).f1 == 0


def test_the_tolerance_is_met_at_its_edge_and_a_boundary_is_found_once() -> None:
    assert segmentation.count_hits([0.1], [0.12]).hits == 1
    assert segmentation.count_hits([0.1], [0.121]).hits == 0
    assert segmentation.count_hits([0.1], [0.1, 0.11]).hits == 1


@given(times, times)
def test_hits_are_the_largest_matching(reference: list[float], proposed: list[float]) -> None:
    near = np.abs(np.subtract.outer(reference, proposed)) <= 0.02 + 1e-6
    hits = near[linear_sum_assignment(~near)].sum() if near.size else 0
    assert segmentation.count_hits(reference, proposed).hits == hits


def test_more_boundaries_raise_recall_and_not_the_r_value() -> None:
    reference = np.arange(1, 20) * 0.1
    few = segmentation.evaluate([reference], [reference + 0.01])
    many = segmentation.evaluate([reference], [np.arange(1, 200) * 0.01])
    assert many.recall == few.recall == 1
    assert many.r_value < 0 < few.r_value


def test_run_boundaries_are_half_way_between_frame_centres() -> None:
    found = segmentation.run_boundaries([7, 7, 2, 2, 2, 9], frame_period=0.04, offset=0.02)
    assert found == pytest.approx([0.08, 0.20])
    assert segmentation.run_boundaries([], frame_period=0.04, offset=0.02).size == 0


def test_even_boundaries_are_as_many_as_go_in() -> None:
    assert segmentation.even_boundaries(0.4, spacing=0.11) == pytest.approx([0.05, 0.15, 0.25, 0.35])
    assert segmentation.even_boundaries(0.04, spacing=0.1).size == 0


def test_the_penalty_sets_the_number_of_segments() -> None:
    generator = np.random.default_rng(0)
    codes, codebook = generator.integers(0, 8, 100), generator.normal(size=(8, 4))
    joined = [segmentation.join_sequences([codes], codebook, penalty=penalty)[0] for penalty in (0, 0.5, 2, 1000)]
    assert joined[0].tolist() == codes.tolist()
    changes = [np.count_nonzero(row[1:] != row[:-1]) for row in joined]
    assert changes == sorted(changes, reverse=True)
    assert changes[-1] == 0


def test_codebook_distances() -> None:
    codebook = np.array([[0.0, 0.0], [3.0, 4.0]])
    assert segmentation.codebook_distances([1, 0], codebook) == pytest.approx(np.array([[25.0, 0.0], [0.0, 25.0]]))
    assert segmentation.codebook_distances([2], np.eye(3)) == pytest.approx(np.array([[2.0, 2.0, 0.0]]))
