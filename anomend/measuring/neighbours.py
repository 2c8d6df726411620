"""Balls around the images of a set that reach to a nearest neighbour: what precision, recall, density, coverage use."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import cdist

from anomend.measuring.vectors import fitting

Floats = NDArray[np.float64]


def checked(samples: ArrayLike, reference: ArrayLike, k: int) -> tuple[Floats, Floats]:
    """Both sets of features in float64.

    Raises:
        ValueError: as in `fitting`, k below 1, or a set of k images or fewer.
    """
    one, two = (values.astype(np.float64, copy=False) for values in fitting(samples, reference))
    if k < 1 or min(len(one), len(two)) <= k:
        raise ValueError(f"{len(one)} and {len(two)} images: {max(k, 1)} nearest neighbours need more in each set")
    return one, two


def radii(features: Floats, k: int) -> Floats:
    """Distance of each image to its k-th nearest other one in the set, shape (n,)."""
    # The distance of an image to itself, 0, is the smallest of its row.
    return np.asarray(np.partition(cdist(features, features), k, axis=1)[:, k])


def inside(features: Floats, centres: Floats, k: int) -> NDArray[np.bool_]:
    """Which images lie in which balls: (n, m), true where image i is not farther from centre j than j's radius.

    Balls are closed, as in Kynkaanniemi et al. and unlike in the code of Naeem et al.: so identical images lie in each
    other's balls of radius 0.
    """
    return np.asarray(cdist(features, centres) <= radii(centres, k)[None, :])
