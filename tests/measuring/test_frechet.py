import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torchmetrics.image.fid import _compute_fid

from anomend.measuring.frechet import frechet_distance


def features(n: int, d: int, shift: float = 0.0, scale: float = 1.0, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return shift + scale * rng.normal(size=(n, d)) @ rng.normal(size=(d, d))


@pytest.mark.parametrize("sizes", [(300, 200), (300, 12), (9, 300)])
def test_agrees_with_torchmetrics(sizes: tuple[int, int]) -> None:
    first, second = features(sizes[0], 10), features(sizes[1], 10, shift=0.5, scale=1.3, seed=1)
    moments = [torch.tensor(m) for x in (first, second) for m in (x.mean(axis=0), np.cov(x, rowvar=False))]
    expected = float(_compute_fid(*moments))
    assert frechet_distance(first, second).value == pytest.approx(expected, rel=1e-6)


def test_agrees_with_a_matrix_root() -> None:
    first, second = features(400, 6), features(500, 6, shift=1.0, seed=2)
    one, two = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    means = ((first.mean(axis=0) - second.mean(axis=0)) ** 2).sum()
    expected = means + np.trace(one + two - 2 * np.real(sqrtm(one @ two)))
    assert frechet_distance(first, second).value == pytest.approx(expected, rel=1e-8)


def test_one_dimension_by_hand() -> None:
    # Means 1 and 4, standard deviations 1 and 3: (1 - 4)^2 + (1 - 3)^2.
    first, second = np.array([[0.0], [1.0], [2.0]]), np.array([[1.0], [4.0], [7.0]])
    assert frechet_distance(first, second).value == pytest.approx(13)
    assert frechet_distance(first, first).value == pytest.approx(0, abs=1e-12)


def test_small_sets_are_warned_about_and_biased() -> None:
    rng = np.random.default_rng(0)
    small = frechet_distance(rng.normal(size=(10, 200)), rng.normal(size=(10, 200)))
    large = frechet_distance(rng.normal(size=(3000, 200)), rng.normal(size=(3000, 200)))
    assert small.warning is not None and "10 images for 200" in small.warning
    assert large.warning is None
    assert small.value > 10 * large.value


def test_two_images_a_set_are_the_least_and_identical_images_have_a_true_zero() -> None:
    # Means (1, 0) and (0, 0), no variance in one set and 2 in the other: 1 + 2.
    found = frechet_distance(np.array([[1.0, 0], [1.0, 0]]), np.array([[-1.0, 0], [1.0, 0]]))
    assert found.value == pytest.approx(3)
    assert frechet_distance(np.ones((4, 3)), np.ones((6, 3))).value == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_images_are_refused(n: int) -> None:
    for sets in ((np.zeros((n, 3)), np.zeros((5, 3))), (np.zeros((5, 3)), np.zeros((n, 3)))):
        with pytest.raises(ValueError, match="two images"):
            frechet_distance(*sets)


def test_bad_features_are_named() -> None:
    with pytest.raises(ValueError, match="NaN"):
        frechet_distance(np.full((3, 3), np.nan), np.zeros((5, 3)))
