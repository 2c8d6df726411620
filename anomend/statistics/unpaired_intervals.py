"""Bootstrap intervals of the difference of two sets that share no seeds, such as the paper's published images.

Images are resampled within each set, and the interval is stretched for small samples (`stretched_interval`). With ten
images per set, in 2,000 simulations, a 95% interval covers 95.1% for a mean of normal values, and 86.4% for a
within-set mean (a variance, which is skewed).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from anomend.project.seeding import numpy_generator
from anomend.statistics.resampling import Floats, stretched_interval

MIN_IMAGES = 5
"""With fewer images per set, resamples hardly differ."""

Interval = tuple[float, float]


def unpaired_interval(
    first: Sequence[float] | Floats,
    second: Sequence[float] | Floats,
    *,
    seed: int,
    resamples: int = 10_000,
    confidence: float = 0.95,
) -> Interval | None:
    """Interval of mean(second) - mean(first); None if a set has fewer than five values.

    Raises:
        ValueError: a value is not finite.
    """
    sets = [np.asarray(values, dtype=np.float64) for values in (first, second)]
    if not all(np.isfinite(values).all() for values in sets):
        raise ValueError("a value is NaN or infinite: leave out images that could not be measured")
    if min(map(len, sets)) < MIN_IMAGES:
        return None
    rng = numpy_generator("unpaired bootstrap", seed)
    means = [_counts(len(values), resamples, rng) @ values / len(values) for values in sets]
    delta = float(sets[1].mean() - sets[0].mean())
    return stretched_interval(means[1] - means[0], delta, sum(map(len, sets)), strata=2, confidence=confidence)


def within_set_interval(
    matrix: ArrayLike, n_first: int, *, seed: int, resamples: int = 10_000, confidence: float = 0.95
) -> Interval | None:
    """Interval of the difference of two within-set means, second - first.

    A resample counts only pairs of different images, so that no image is compared with itself.

    Args:
        matrix: symmetric similarity or distance matrix over the first set's images, then the second's.
        n_first: number of images in the first set.
        seed: seed of the bootstrap.
        resamples: bootstrap resamples.
        confidence: level of the interval.

    Returns:
        The ends; None if a set has fewer than five images.

    Raises:
        ValueError: the matrix is not square, or the similarity of two images is not finite.
    """
    values = np.array(matrix, dtype=np.float64)
    if values.ndim != 2 or values.shape[0] != values.shape[1] or not 0 <= n_first <= len(values):
        raise ValueError(
            f"expected a square matrix over both sets, got shape {values.shape} for a first set of {n_first}"
        )
    np.fill_diagonal(values, 0)
    if not np.isfinite(values).all():
        raise ValueError("the similarity of a pair is NaN or infinite: it has no within-set mean")
    if min(n_first, len(values) - n_first) < MIN_IMAGES:
        return None
    rng = numpy_generator("unpaired within-set bootstrap", seed)
    sets = values[:n_first, :n_first], values[n_first:, n_first:]
    first, second = (_resampled(block, resamples, rng) for block in sets)
    delta = _pair_mean(sets[1]) - _pair_mean(sets[0])
    return stretched_interval(second - first, delta, len(values), strata=2, confidence=confidence)


def _pair_mean(matrix: Floats) -> float:
    """Mean over pairs of different images, where the diagonal is 0."""
    return float(matrix.sum()) / (len(matrix) * (len(matrix) - 1))


def _resampled(matrix: Floats, resamples: int, rng: np.random.Generator) -> Floats:
    """Within-set means of resampled images."""
    counts = _counts(len(matrix), resamples, rng)
    # Of n^2 ordered pairs, those of an image with itself do not count. If one image is drawn n times there is no pair:
    # with five images 1 in 600 resamples, which are drawn again.
    while (alone := (counts == len(matrix)).any(axis=1)).any():
        counts[alone] = _counts(len(matrix), int(alone.sum()), rng)
    pairs = len(matrix) ** 2 - (counts**2).sum(axis=1)
    means: Floats = ((counts @ matrix) * counts).sum(axis=1) / pairs
    return means


def _counts(n: int, resamples: int, rng: np.random.Generator) -> Floats:
    """How often each of n images occurs in each resample."""
    return rng.multinomial(n, np.full(n, 1 / n), size=resamples).astype(np.float64)
