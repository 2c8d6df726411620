"""Kernel distance of two sets of images: unbiased squared maximum mean discrepancy of their features.

With the polynomial kernel (x.y / d + 1)^3 on Inception features this is KID. Here its name contains its extractor
(`kernel_efficientnet_lite0`), and it is taken over the whole sets, not over random subsets. Around 0 for sets of one
distribution, also below 0 because it is unbiased; lower is closer. Unlike the Frechet distance it has no bias at small
n, and it has a permutation test: some five images per set suffice for the test, some tens for a useful value. Other
kernels of `kernels` give the squared MMD by that kernel. Large sets are processed in blocks.

Reference: Binkowski et al. 2018, arXiv:1801.01401; Gretton et al. 2012, JMLR 13:723.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anomend.measuring.kernels import Kernel, kernel_sum, polynomial_kernel, split_sums, within_kernel_sum
from anomend.measuring.vectors import fitting
from anomend.statistics.effect import MIN_PAIRS, Better, Effect, insufficient
from anomend.statistics.resampling import (
    bootstrap_counts,
    resampled_units,
    sign_flip_test,
    split_p,
    splits,
    stretched_interval,
)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class KernelDistance:
    """Unbiased MMD^2 and the p of the hypothesis that both sets come from one distribution."""

    value: float
    p: float
    method: str


def kernel_distance(first: ArrayLike, second: ArrayLike, kernel: Kernel = polynomial_kernel) -> float:
    """Unbiased MMD^2 of two sets of features, shapes (n1, d) and (n2, d), n1, n2 >= 2.

    The mean kernel over pairs of different images within either set, less twice the mean over pairs across the sets. A
    set compared with itself is below 0, because across the sets an image also meets itself.

    Raises:
        ValueError: a set has fewer than two images, or the features differ in dimension or are not finite.
    """
    one, two = _sets(first, second)
    n, m = len(one), len(two)
    within = within_kernel_sum(one, kernel) / (n * (n - 1)) + within_kernel_sum(two, kernel) / (m * (m - 1))
    return within - 2 * kernel_sum(one, two, kernel) / (n * m)


def kernel_distance_test(
    first: ArrayLike,
    second: ArrayLike,
    *,
    kernel: Kernel = polynomial_kernel,
    seed: int,
    permutations: int = 20_000,
) -> KernelDistance:
    """Kernel distance of two unpaired sets with its one-sided permutation p.

    p counts the splits of the pooled images into sets of these sizes that are at least as far apart: all splits where
    they can be enumerated, else `permutations` draws from `seed` with the +1 correction. Time grows with permutations
    times the square of the number of images, memory with permutations times the number of images: for thousands of
    images use some hundred permutations.

    Raises:
        ValueError: as in `kernel_distance`.
    """
    one, two = _sets(first, second)
    pooled, n, m = np.concatenate([one, two]), len(one), len(two)
    drawn, exact = splits(n, m, seed=seed, permutations=permutations)
    # The observed split uses the same arithmetic, so that it ties with itself.
    masks = np.concatenate([np.arange(n + m)[None] < n, drawn])
    within, across, total = split_sums(pooled, masks, kernel)
    rest = total - within - 2 * across
    values = within / (n * (n - 1)) + rest / (m * (m - 1)) - 2 * across / (n * m)
    p = split_p(values[1:], float(values[0]), exact=exact, scale=_scale(pooled, kernel))
    return KernelDistance(float(values[0]), p, f"{'exact ' if exact else ''}permutation of {len(drawn)} splits")


def distance_matrix(features: ArrayLike, reference: ArrayLike) -> Floats:
    """A matrix whose within-set mean is the kernel distance to a reference set, for any subset of the images.

    With k(i, R) the mean kernel of image i with the reference set and k(R, R) the mean kernel of the reference set's
    pairs, the entries are k(i, j) - k(i, R) - k(j, R) + k(R, R). So within-set statistics apply to the kernel distance.

    Args:
        features: shape (n, d).
        reference: shape (m, d), m >= 2.

    Returns:
        Shape (n, n), symmetric, with zeros on the diagonal.
    """
    target = polynomial_kernel(reference, reference)
    pairs = len(target) * (len(target) - 1)
    within = (target.sum() - np.trace(target)) / pairs
    towards = polynomial_kernel(features, reference).mean(axis=1)
    matrix = polynomial_kernel(features, features) - towards[:, None] - towards[None, :] + within
    np.fill_diagonal(matrix, 0)
    return np.asarray(matrix)


def compare_kernel_distance(
    base: ArrayLike,
    tuned: ArrayLike,
    *,
    reference: ArrayLike,
    prompts: Sequence[str],
    better: Better = "lower",
    seed: int,
    resamples: int = 10_000,
    permutations: int = 20_000,
    confidence: float = 0.95,
) -> Effect:
    """Is the tuned model nearer to a reference set than the base model is?

    MMD^2(tuned, R) - MMD^2(base, R) is linear in swaps of base and tuned within a pair (see `compare_within_set`), so p
    is that of a sign-flip test. The interval resamples prompts (5 or more) or pairs within each prompt, the same ones
    for both models, counts only pairs of different images, and is stretched for small samples (`stretched_interval`).
    The reference set is taken as given.

    Args:
        base: features of the base model's images, shape (n, d).
        tuned: those of the tuned model, in the same order of (prompt, seed).
        reference: features of the reference set, shape (m, d), m >= 2.
        prompts: the prompt of each pair.
        better: lower, where nearness to the reference is the aim.
        seed: seed of the resampling.
        resamples: bootstrap resamples.
        permutations: sign flips that are drawn where they cannot all be listed.
        confidence: level of the interval.

    Returns:
        The effect. With fewer than 6 pairs or 2 reference images it has no interval and p, but a reason; with fewer
        than 2 pairs it has no values either.

    Raises:
        ValueError: base, tuned and prompts differ in length, or the features differ in dimension or are not finite.
    """
    before, after, target = (np.asarray(features, dtype=np.float64) for features in (base, tuned, reference))
    n, clusters = len(before), len(set(prompts))
    if before.shape != after.shape or len(prompts) != n:
        raise ValueError(f"base {before.shape}, tuned {after.shape} and {len(prompts)} prompts: pair them first")
    if n < MIN_PAIRS or len(target) < 2:
        values = [
            kernel_distance(features, target) if min(n, len(target)) > 1 else None for features in (before, after)
        ]
        reason = f"{n} pairs and {len(target)} reference images: at least {MIN_PAIRS} and 2 are needed"
        return insufficient(n, clusters, better=better, reason=reason, base=values[0], tuned=values[1])
    pooled = np.concatenate([before, after])
    matrix = distance_matrix(pooled, target)
    within, mixed = matrix[n:, n:] - matrix[:n, :n], matrix[n:, :n]
    # The diagonal of mixed - mixed.T is 0 by itself.
    weights = (within + mixed - mixed.T).sum(axis=1) / (n * (n - 1))
    # Differences that cancel leave rounding, which has no meaningful sign.
    weights[np.abs(weights) < 1e-13 * _scale(pooled, polynomial_kernel)] = 0
    p, test = sign_flip_test(weights, seed=seed, permutations=permutations)
    counts, how = bootstrap_counts(prompts, seed=seed, resamples=resamples)
    pairs = counts.sum(axis=1) ** 2 - (counts**2).sum(axis=1)
    counts, pairs = counts[pairs > 0], pairs[pairs > 0]
    deltas = ((counts @ within) * counts).sum(axis=1) / pairs
    first, second = kernel_distance(before, target), kernel_distance(after, target)
    low, high = stretched_interval(deltas, second - first, *resampled_units(prompts), confidence=confidence)
    method = (
        f"{confidence:.0%} interval: percentile bootstrap of {how}, stretched for small samples; p: {test} of base and"
        " tuned"
    )
    return Effect(
        base=first,
        tuned=second,
        delta=second - first,
        ci_low=low,
        ci_high=high,
        p=p,
        n=n,
        clusters=clusters,
        better=better,
        method=method,
    )


def _sets(first: ArrayLike, second: ArrayLike) -> tuple[NDArray, NDArray]:
    one, two = fitting(first, second)
    if min(len(one), len(two)) < 2:
        raise ValueError(f"a kernel distance needs two images or more per set, got {len(one)} and {len(two)}")
    return one, two


def _scale(features: NDArray, kernel: Kernel) -> float:
    """Largest kernel of an image with itself, which bounds all others."""
    return max(float(kernel(row[None], row[None])[0, 0]) for row in features)
