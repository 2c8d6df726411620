"""Kernels between feature vectors, and sums over them that never hold the whole matrix.

The polynomial kernel (x.y / d + 1)^3 is that of the KID (Binkowski et al. 2018, arXiv:1801.01401); the Gaussian one
(RBF), exp(-|x - y|^2 / (2 s^2)), is the classical choice of the two-sample test (Gretton et al. 2012, JMLR 13:723).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anomend.measuring.vectors import fitting, squared_distances

Floats = NDArray[np.float64]
Kernel = Callable[[ArrayLike, ArrayLike], Floats]

_BLOCK = 1024
"""Rows of either set whose kernel is computed at a time."""
_BLOCK_VALUES = 4_000_000
"""Values of a block of splits, or of kernels of some images with all."""


def polynomial_kernel(first: ArrayLike, second: ArrayLike) -> Floats:
    """(x.y / d + 1)^3 of every row of one set with every row of the other, shape (n1, n2), in float64.

    Raises:
        ValueError: the features differ in dimension or are not finite.
    """
    one, two = (values.astype(np.float64, copy=False) for values in fitting(first, second))
    base = one @ two.T
    base /= one.shape[1]
    base += 1
    return np.asarray(base * base * base)


def gaussian_kernel(bandwidth: float) -> Kernel:
    """exp(-|x - y|^2 / (2 bandwidth^2)) of every row of one set with every row of the other, in float64.

    Args:
        bandwidth: in units of the features' Euclidean distance.

    Raises:
        ValueError: the bandwidth is not above 0 and finite; the kernel itself, for features as in `polynomial_kernel`.
    """
    if not (np.isfinite(bandwidth) and bandwidth > 0):
        raise ValueError(f"a Gaussian kernel needs a bandwidth above 0, got {bandwidth}")

    def kernel(first: ArrayLike, second: ArrayLike) -> Floats:
        exponent = squared_distances(first, second)
        exponent /= -2 * bandwidth**2
        return np.asarray(np.exp(exponent, out=exponent))

    return kernel


def kernel_sum(first: ArrayLike, second: ArrayLike, kernel: Kernel) -> float:
    """Sum of the kernel over all pairs of an image of one set and one of the other, in blocks."""
    one, two = np.asarray(first), np.asarray(second)
    return float(sum(kernel(one[rows], two[columns]).sum() for rows in _blocks(one) for columns in _blocks(two)))


def within_kernel_sum(features: ArrayLike, kernel: Kernel) -> float:
    """Sum of the kernel over all ordered pairs of different images of one set, in blocks."""
    values, total = np.asarray(features), 0.0
    for rows in _blocks(values):
        diagonal_block = kernel(values[rows], values[rows])
        np.fill_diagonal(diagonal_block, 0)
        total += diagonal_block.sum()
        for columns in _blocks(values, rows.stop):
            total += 2 * kernel(values[rows], values[columns]).sum()
    return float(total)


def split_sums(features: ArrayLike, masks: NDArray[np.bool_], kernel: Kernel) -> tuple[Floats, Floats, float]:
    """Kernel sums of splits of the images into two sets; pairs of an image with itself do not count.

    Args:
        features: shape (n, d).
        masks: membership of the first set, shape (splits, n).
        kernel: symmetric.

    Returns:
        Per split, the sum over ordered pairs within the first set, and the sum over pairs across the sets; then the sum
        over all ordered pairs.
    """
    values, total = np.asarray(features), 0.0
    within, of_first = np.zeros(len(masks)), np.zeros(len(masks))
    for rows in _blocks(values, size=max(1, _BLOCK_VALUES // len(values))):
        block = kernel(values[rows], values)
        block[np.arange(len(block)), np.arange(rows.start, rows.stop)] = 0
        row_sums = block.sum(axis=1)
        total += float(row_sums.sum())
        for some in _blocks(masks, size=max(1, _BLOCK_VALUES // len(values))):
            inside = masks[some, rows].astype(np.float64)
            within[some] += ((inside @ block) * masks[some]).sum(axis=1)
            of_first[some] += inside @ row_sums
    return within, of_first - within, total


def _blocks(values: NDArray, start: int = 0, size: int | None = None) -> Iterator[slice]:
    step = _BLOCK if size is None else size
    return (slice(first, min(first + step, len(values))) for first in range(start, len(values), step))
