"""Tests of two sets that share no seeds, such as the paper's published images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from anomend.statistics.resampling import Floats, split_p, splits


@dataclass(frozen=True, kw_only=True)
class PermutationResult:
    """Difference of two sets, second - first, and its two-sided permutation p; `reason` says why a value is None."""

    first: float | None = None
    second: float | None = None
    delta: float | None = None
    p: float | None = None
    method: str = "none"
    """How p was computed, in words."""
    reason: str | None = None


def permutation_test(
    first: Sequence[float] | Floats, second: Sequence[float] | Floats, *, seed: int, permutations: int = 20_000
) -> PermutationResult:
    """Difference of the means of per-image values, by all splits of the pooled values (up to ten against ten).

    Args:
        first: values of one set, such as the base model's.
        second: values of the other.
        seed: seed of the splits, where there are too many to enumerate.
        permutations: number of splits that are then drawn.

    Returns:
        The difference and p. p is None, with a reason, if even the most extreme split could not reach p < .05.

    Raises:
        ValueError: a set is empty or a value is not finite.
    """
    before, after = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if not len(before) or not len(after):
        raise ValueError("a permutation test needs values in both sets")
    pooled = np.concatenate([before, after])
    if not np.isfinite(pooled).all():
        raise ValueError("a value is NaN or infinite: leave out images that could not be measured")
    masks, exact = splits(len(before), len(after), seed=seed, permutations=permutations)
    sums = masks @ pooled
    statistics = np.abs((pooled.sum() - sums) / len(after) - sums / len(before))
    means = float(before.mean()), float(after.mean())
    return _result(means, statistics, exact=exact, equal_sizes=len(before) == len(after), scale=_scale(pooled))


def within_set_permutation_test(
    matrix: ArrayLike, n_first: int, *, seed: int, permutations: int = 20_000
) -> PermutationResult:
    """Difference of two within-set means, by all splits of the pooled images.

    Args:
        matrix: symmetric similarity or distance matrix over the first set's images, then the second's.
        n_first: number of images in the first set.
        seed: seed of the splits, where there are too many to enumerate.
        permutations: number of splits that are then drawn.

    Returns:
        The within-set means, their difference and p; None with a reason if a set has fewer than two images.

    Raises:
        ValueError: the matrix is not square and finite, or n_first is not within it.
    """
    values = np.array(matrix, dtype=np.float64)
    if values.ndim != 2 or values.shape[0] != values.shape[1] or not 0 <= n_first <= len(values):
        raise ValueError(
            f"expected a square matrix over both sets, got shape {values.shape} for a first set of {n_first}"
        )
    n_second = len(values) - n_first
    if n_first < 2 or n_second < 2:
        return PermutationResult(reason=f"sets of {n_first} and {n_second} have no pairs in both")
    np.fill_diagonal(values, 0)
    if not np.isfinite(values).all():
        raise ValueError("the similarity of a pair is NaN or infinite: it has no within-set mean")
    masks, exact = splits(n_first, n_second, seed=seed, permutations=permutations)
    observed_split = np.zeros((1, len(values)), dtype=bool)
    observed_split[0, :n_first] = True

    def means(members: np.ndarray) -> tuple[Floats, Floats]:
        inside, outside = members.astype(np.float64), (~members).astype(np.float64)
        first = ((inside @ values) * inside).sum(axis=1) / (n_first * (n_first - 1))
        second = ((outside @ values) * outside).sum(axis=1) / (n_second * (n_second - 1))
        return first, second

    first, second = means(masks)
    observed = means(observed_split)
    statistics = np.abs(second - first)
    observed_means = float(observed[0][0]), float(observed[1][0])
    return _result(observed_means, statistics, exact=exact, equal_sizes=n_first == n_second, scale=_scale(values))


def _result(
    means: tuple[float, float], statistics: Floats, *, exact: bool, equal_sizes: bool, scale: float
) -> PermutationResult:
    first, second = means
    delta = second - first
    # Between sets of equal size, swapping both sets is a split that is as extreme as the one observed.
    if exact and (2 if equal_sizes else 1) / len(statistics) >= 0.05:
        reason = f"{len(statistics)} splits of so few images cannot reach p < .05"
        return PermutationResult(first=first, second=second, delta=delta, reason=reason)
    p = split_p(statistics, abs(delta), exact=exact, scale=scale)
    how = f"exact permutation of {len(statistics)} splits" if exact else f"permutation ({len(statistics)} splits drawn)"
    return PermutationResult(first=first, second=second, delta=delta, p=p, method=how)


def _scale(data: Floats) -> float:
    return float(np.abs(data).max())
