from __future__ import annotations

import numpy as np
import pytest

from anomend.measuring.cmmd import cmmd


def by_loops(first: np.ndarray, second: np.ndarray, sigma: float = 10.0) -> float:
    """Gretton et al. 2012, equation 3, in loops; times 1000."""
    one, two = (values / np.linalg.norm(values, axis=1, keepdims=True) for values in (first, second))

    def kernel(x: np.ndarray, y: np.ndarray) -> float:
        return float(np.exp(-((x - y) ** 2).sum() / (2 * sigma**2)))

    def within(values: np.ndarray) -> float:
        n = len(values)
        pairs = [(i, j) for i in range(n) for j in range(n) if i != j]
        return sum(kernel(values[i], values[j]) for i, j in pairs) / len(pairs)

    across = sum(kernel(x, y) for x in one for y in two) / (len(one) * len(two))
    return 1000 * (within(one) + within(two) - 2 * across)


@pytest.mark.parametrize("sizes", [(2, 2), (7, 4), (20, 31)])
def test_agrees_with_the_definition(sizes: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(sizes[0], 6)), rng.normal(size=(sizes[1], 6)) + 0.3
    assert cmmd(first, second) == pytest.approx(by_loops(first, second), rel=1e-6, abs=1e-9)


def test_two_orthogonal_points_by_hand() -> None:
    # Distance^2 is 2: 1000 (1 + 1 - 2 exp(-2 / 200)).
    first, second = np.array([[3.0, 0.0]] * 4), np.array([[0.0, 0.5]] * 5)
    expected = 2000 * (1 - np.exp(-0.01))
    assert cmmd(first, second) == pytest.approx(expected)


def test_identical_sets_and_one_distribution() -> None:
    rng = np.random.default_rng(0)
    assert cmmd(np.ones((4, 3)), np.ones((5, 3))) == pytest.approx(0, abs=1e-9)
    draws = [rng.normal(size=(2, 40, 8)) for _ in range(100)]
    values = np.array([cmmd(*pair) for pair in draws])
    assert abs(values.mean()) < 4 * values.std() / 10 and values.min() < 0


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_images_are_refused(n: int) -> None:
    with pytest.raises(ValueError, match="two images or more"):
        cmmd(np.ones((n, 3)), np.ones((5, 3)))


def test_embeddings_without_direction_are_named() -> None:
    for bad in (np.zeros((3, 3)), np.full((3, 3), np.nan), np.full((3, 3), np.inf)):
        with pytest.raises(ValueError, match="zero, NaN or infinite"):
            cmmd(bad, np.ones((3, 3)))
    with pytest.raises(ValueError, match="one dimension"):
        cmmd(np.ones((3, 2)), np.ones((3, 3)))
