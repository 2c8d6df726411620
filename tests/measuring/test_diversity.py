import numpy as np
import pytest
from scipy.linalg import eigvals
from scipy.spatial.distance import pdist, squareform

from anomend.measuring.diversity import cosine_distance_matrix, cosine_similarity, vendi_score


def test_distances_agree_with_scipy() -> None:
    features = np.random.default_rng(0).normal(size=(6, 9))
    assert np.allclose(cosine_distance_matrix(features), squareform(pdist(features, "cosine")), atol=1e-12)


def test_length_does_not_count() -> None:
    features = np.random.default_rng(0).normal(size=(3, 4))
    assert np.allclose(cosine_similarity(features, 5 * features), cosine_similarity(features, features))


def test_vendi_score_counts_different_images() -> None:
    assert vendi_score(np.eye(7)) == pytest.approx(7)
    assert vendi_score(np.ones((7, 3))) == pytest.approx(1)
    # Two groups of orthogonal images, three each: eigenvalues 1/2 and 1/2.
    assert vendi_score(np.repeat(np.eye(2), 3, axis=0)) == pytest.approx(2)
    # One image alone and one five times: the entropy of (1/6, 5/6).
    uneven = np.array([[1.0, 0.0]] + [[0.0, 1.0]] * 5)
    assert vendi_score(uneven) == pytest.approx(np.exp(-(np.log(1 / 6) / 6 + 5 / 6 * np.log(5 / 6))))


def test_vendi_score_is_the_entropy_of_the_eigenvalues() -> None:
    features = np.random.default_rng(0).normal(size=(9, 4))
    kernel = 1 - squareform(pdist(features, "cosine"))
    eigenvalues = np.array([value for value in eigvals(kernel / 9).real if value > 1e-10])
    assert vendi_score(features) == pytest.approx(np.exp(-(eigenvalues * np.log(eigenvalues)).sum()), rel=1e-6)


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_images_have_no_vendi_score(n: int) -> None:
    assert vendi_score(np.ones((n, 3))) is None


def test_identical_images_are_0_apart_and_orthogonal_ones_1() -> None:
    assert np.allclose(cosine_distance_matrix(np.ones((5, 3))), 0, atol=1e-12)
    assert cosine_distance_matrix(np.eye(2))[0, 1] == 1 and vendi_score(np.eye(2)) == pytest.approx(2)


def test_features_that_are_no_table_or_not_finite_are_named() -> None:
    for measure in (cosine_distance_matrix, vendi_score):
        with pytest.raises(ValueError, match="shape"):
            measure(np.ones(3))
        with pytest.raises(ValueError, match="NaN"):
            measure(np.full((3, 3), np.nan))


def test_a_vector_without_direction_is_named() -> None:
    with pytest.raises(ValueError, match="zero"):
        cosine_distance_matrix(np.zeros((2, 3)))
