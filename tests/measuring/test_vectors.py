"""Directions and distances of feature vectors, against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from anomend.measuring import vectors
from anomend.measuring.vectors import directions, fitting, squared_distances


def features(n: int, d: int = 7, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d))


@pytest.mark.parametrize("columns", [1, 3, 100])
def test_squared_distances_are_scipys_however_many_columns_at_a_time(
    monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setattr(vectors, "_COLUMNS", columns)
    one, two = features(5), features(4, seed=1).astype(np.float32)
    assert np.allclose(squared_distances(one, two), cdist(one, two, "sqeuclidean"), rtol=1e-12)
    # Far from the origin the squares cancel; no distance may turn negative.
    assert squared_distances(one + 1e6, one + 1e6).min() >= 0
    assert squared_distances(one, one[:0]).shape == (5, 0)


def test_directions_have_length_1_and_keep_the_angle() -> None:
    assert np.allclose(directions([[3.0, 4.0], [0.0, -2.0]]), [[0.6, 0.8], [0, -1]])
    assert directions(np.empty((0, 3))).shape == (0, 3)


def test_what_are_no_features_is_named() -> None:
    for call in (fitting, squared_distances):
        for one, two in ((features(2), features(2, 6)), (np.ones(3), np.ones(3)), (np.empty((2, 0)),) * 2):
            with pytest.raises(ValueError, match="one dimension"):
                call(one, two)
        for wrong in (np.nan, np.inf):
            with pytest.raises(ValueError, match="NaN or infinite"):
                call(features(2), np.full((2, 7), wrong))
    for bad in (np.zeros((1, 3)), np.full((2, 3), np.nan), np.full((2, 3), np.inf)):
        with pytest.raises(ValueError, match="zero, NaN or infinite"):
            directions(bad)
    with pytest.raises(ValueError, match="shape"):
        directions(np.ones(3))
