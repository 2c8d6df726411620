"""Diversity of a set of images by their features: mean cosine distance of its pairs, and the Vendi score.

Both are higher for a more diverse set, and fall when fine-tuning makes a model draw the same picture again and again.
Higher is better, up to the value of the base model or of the instance images. Compute them on images of one prompt,
because a set over several prompts is diverse by its prompts. They need two images or more.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anomend.measuring.vectors import directions


def cosine_similarity(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Cosine of every row of one matrix of features with every row of another, shape (n1, n2), from -1 to 1.

    Raises:
        ValueError: not features of shape (n, d), or a feature vector is zero or not finite, and has no direction.
    """
    one, two = directions(first), directions(second)
    return np.clip(one @ two.T, -1, 1)


def cosine_distance_matrix(features: ArrayLike) -> NDArray[np.float64]:
    """1 - cosine of every pair of images, shape (n, n), from 0 (same direction) to 2, with zeros on the diagonal."""
    distances = 1 - cosine_similarity(features, features)
    distances = (distances + distances.T) / 2
    np.fill_diagonal(distances, 0)
    return distances


def vendi_score(features: ArrayLike) -> float | None:
    """Effective number of different images in a set, from 1 (all alike) to n (all orthogonal); None for fewer than two.

    The exponential of the entropy of the eigenvalues of K / n, K the cosine similarities. It grows with n, so compare
    only sets of one size.

    Reference: Friedman & Dieng 2023, arXiv:2210.02410.
    """
    similarities = cosine_similarity(features, features)
    if len(similarities) < 2:
        return None
    eigenvalues = np.linalg.eigvalsh(similarities / len(similarities))
    positive = eigenvalues[eigenvalues > 1e-12]
    return float(np.exp(-(positive * np.log(positive)).sum()))
