"""Feature vectors of images: checks of two sets, directions, and distances between them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_COLUMNS = 100_000
"""Number of values of each vector that are converted to float64 at a time: a network's maps have half a million."""


def fitting(first: ArrayLike, second: ArrayLike) -> tuple[NDArray, NDArray]:
    """Two sets of features, shapes (n1, d) and (n2, d), n1, n2 >= 0, with their types unchanged.

    Raises:
        ValueError: they are not tables, differ in dimension, have no dimensions, or are not finite.
    """
    one, two = np.asarray(first), np.asarray(second)
    if one.ndim != 2 or two.ndim != 2 or one.shape[1] != two.shape[1] or one.shape[1] == 0:
        raise ValueError(f"expected features of shape (n, d) and one dimension, got {one.shape} and {two.shape}")
    if not (np.isfinite(one).all() and np.isfinite(two).all()):
        raise ValueError("features are NaN or infinite: check the images and the extractor")
    return one, two


def directions(features: ArrayLike) -> Floats:
    """Feature vectors (n, d) scaled to length 1, in float64.

    Raises:
        ValueError: not features of shape (n, d), or a vector is zero or not finite, and has no direction.
    """
    values = np.asarray(features, dtype=np.float64)
    if values.ndim != 2:
        raise ValueError(f"expected features of shape (n, d), got {values.shape}")
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or (lengths == 0).any():
        raise ValueError("a feature vector is zero, NaN or infinite: check the images, prompts and weights")
    return np.asarray(values / lengths)


def squared_distances(first: ArrayLike, second: ArrayLike) -> Floats:
    """|x - y|^2 of every row of one set with every row of the other, shape (n1, n2), in float64.

    Raises:
        ValueError: as in `fitting`.
    """
    left, right = fitting(first, second)
    distances = np.zeros((len(left), len(right)))
    for start in range(0, left.shape[1], _COLUMNS):
        one, two = (part[:, start : start + _COLUMNS].astype(np.float64, copy=False) for part in (left, right))
        product = one @ two.T
        product *= -2
        product += (one**2).sum(axis=1)[:, None]
        product += (two**2).sum(axis=1)
        distances += product
    return np.asarray(np.maximum(distances, 0, out=distances))
