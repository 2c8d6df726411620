"""Frechet distance of two sets of images, as the distance of two normal distributions of their features.

From 0 up, lower is closer. Its name contains its extractor (`frechet_efficientnet_lite0`); only on Inception features,
which this project does not ship, is it the FID. The estimate is biased upwards in small sets. With fewer images than
feature dimensions the covariances are rank deficient and most of the value is bias: compare only sets of equal size,
and prefer `kernel_distance`. The usual advice is several times as many images as dimensions, and at least 2,000.

Reference: Heusel et al. 2017, arXiv:1706.08500; Dowson & Landau 1982, doi:10.1016/0047-259X(82)90077-X.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anomend.measuring.vectors import fitting


@dataclass(frozen=True)
class FrechetDistance:
    """A Frechet distance, and a warning where the sets are too small for it."""

    value: float
    warning: str | None = None


def frechet_distance(first: ArrayLike, second: ArrayLike) -> FrechetDistance:
    """|m1 - m2|^2 + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2), with sample means m and covariances S, in float64.

    torchmetrics computes the trace as the sum of the roots of the eigenvalues of S1 S2. With S = X^T X, X the centred
    features over sqrt(n - 1), these roots are the singular values of X1 X2^T. This avoids roots of eigenvalues that
    rounding left below 0, and X1 X2^T is small for small sets.

    Args:
        first: features of one set, shape (n1, d).
        second: features of the other, shape (n2, d).

    Raises:
        ValueError: fewer than two images in a set, different dimensions, or features that are not finite.
    """
    one, two = (values.astype(np.float64, copy=False) for values in fitting(first, second))
    if min(len(one), len(two)) < 2:
        raise ValueError(f"a Frechet distance needs two images or more per set, got {len(one)} and {len(two)}")
    root_one, root_two = _root(one), _root(two)
    roots = np.linalg.svd(root_one @ root_two.T, compute_uv=False).sum()
    means = ((one.mean(axis=0) - two.mean(axis=0)) ** 2).sum()
    value = means + (root_one**2).sum() + (root_two**2).sum() - 2 * roots
    smallest, dimension = min(len(one), len(two)), one.shape[1]
    warning = None
    if smallest < dimension:
        warning = f"{smallest} images for {dimension} feature dimensions: mostly bias, compare only sets of one size"
    return FrechetDistance(max(0.0, float(value)), warning)


def _root(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """A matrix X of at most d rows with X^T X the sample covariance."""
    centred = (features - features.mean(axis=0)) / np.sqrt(len(features) - 1)
    return np.asarray(np.linalg.qr(centred, mode="r")) if len(centred) > centred.shape[1] else centred
