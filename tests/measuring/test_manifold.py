"""Improved precision and recall, density and coverage, against their definitions in loops."""

from __future__ import annotations

import numpy as np
import pytest

from anomend.measuring.density_coverage import density_coverage
from anomend.measuring.precision_recall import precision_recall


def radius(points: np.ndarray, index: int, k: int) -> float:
    others = sorted(float(np.linalg.norm(points[index] - p)) for j, p in enumerate(points) if j != index)
    return others[k - 1]


def holds(ball: tuple[np.ndarray, int], point: np.ndarray, k: int) -> bool:
    points, index = ball
    return float(np.linalg.norm(points[index] - point)) <= radius(points, index, k)


@pytest.mark.parametrize(("n", "m", "k", "shift"), [(17, 12, 3, 0.0), (12, 20, 5, 0.7), (9, 9, 1, 1.5), (6, 6, 5, 0.2)])
def test_agrees_with_the_definitions(n: int, m: int, k: int, shift: float) -> None:
    rng = np.random.default_rng(n)
    drawn, real = rng.normal(size=(n, 4)) + shift, rng.normal(size=(m, 4))
    counts = np.array([[holds((real, j), drawn[i], k) for j in range(m)] for i in range(n)])
    recalled = [any(holds((drawn, j), point, k) for j in range(n)) for point in real]
    found = precision_recall(drawn, real, k)
    assert found.precision == pytest.approx(np.mean([any(row) for row in counts]))
    assert found.recall == pytest.approx(np.mean(recalled))
    other = density_coverage(drawn, real, k)
    assert other.density == pytest.approx(sum(int(flag) for row in counts for flag in row) / (k * n))
    assert other.coverage == pytest.approx(np.mean([any(column) for column in counts.T]))


def test_a_line_by_hand() -> None:
    # Real at 0, 1, 2, 3, k = 1: every radius is 1. Samples at 0.5 (in the balls of 0 and 1), 9 and 10 (in none).
    real, drawn = np.arange(4.0)[:, None], np.array([[0.5], [9.0], [10.0]])
    assert precision_recall(drawn, real, 1).precision == pytest.approx(1 / 3)
    # The samples' radii are 8.5, 1, 1: the ball around 0.5 holds all real ones.
    assert precision_recall(drawn, real, 1).recall == 1
    assert density_coverage(drawn, real, 1) == (pytest.approx(2 / 3), pytest.approx(2 / 4))


def test_identical_sets_and_identical_images_are_within_each_other() -> None:
    features = np.random.default_rng(0).normal(size=(8, 5))
    assert precision_recall(features, features) == (1, 1)
    assert density_coverage(features, features).coverage == 1
    same = np.ones((8, 5))
    assert precision_recall(same, same) == (1, 1)
    assert density_coverage(same, same) == (8 / 5, 1)  # All 8 images lie in all 8 balls.


def test_sets_apart_have_a_true_zero() -> None:
    features = np.random.default_rng(0).normal(size=(8, 5))
    assert precision_recall(features + 100, features) == (0, 0)
    assert density_coverage(features + 100, features) == (0, 0)


def test_coverage_of_one_distribution_is_what_the_authors_derive() -> None:
    rng = np.random.default_rng(3)
    # Naeem et al., Lemma 2: 1 - 2^-k for large sets of one size; k = 5: .969.
    found = density_coverage(rng.normal(size=(1500, 16)), rng.normal(size=(1500, 16)))
    assert found.coverage == pytest.approx(1 - 2**-5, abs=0.015)
    assert found.density == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_sets_of_k_images_or_fewer_are_refused(n: int) -> None:
    for measure in (precision_recall, density_coverage):
        for first, second in ((np.ones((n, 4)), np.ones((9, 4))), (np.ones((9, 4)), np.ones((n, 4)))):
            with pytest.raises(ValueError, match="nearest neighbours need more"):
                measure(first, second)


def test_features_that_do_not_fit_are_named() -> None:
    for measure in (precision_recall, density_coverage):
        with pytest.raises(ValueError, match="one d"):
            measure(np.ones((9, 4)), np.ones((9, 3)))
        with pytest.raises(ValueError, match="NaN"):
            measure(np.full((9, 4), np.nan), np.ones((9, 4)))
        with pytest.raises(ValueError, match="nearest neighbours"):
            measure(np.ones((9, 4)), np.ones((9, 4)), 0)
