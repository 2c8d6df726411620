import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform

from stages.measures.diversity import cosine_distance_matrix, cosine_similarity, pairwise_diversity, vendi_score


def test_distances_agree_with_scipy() -> None:
    features = np.random.default_rng(0).normal(size=(6, 9))
    assert np.allclose(cosine_distance_matrix(features), squareform(pdist(features, "cosine")), atol=1e-12)
    assert pairwise_diversity(features) == pytest.approx(pdist(features, "cosine").mean())
    assert pairwise_diversity(features[:1]) is None


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


def test_a_vector_without_direction_is_named() -> None:
    with pytest.raises(ValueError, match="zero"):
        pairwise_diversity(np.zeros((2, 3)))
