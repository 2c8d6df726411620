"""Bootstrap of a mean of values with two crossed clusters, such as participants and pairs of images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anomend.project.seeding import numpy_generator
from anomend.statistics.proportions import wilson_interval
from anomend.statistics.resampling import percentile_interval


def crossed_means(
    values: ArrayLike, first: Sequence[str], second: Sequence[str], *, seed: int, resamples: int = 10_000
) -> NDArray[np.float64]:
    """Means of resampled values; clusters of both kinds are drawn with replacement.

    The pigeonhole bootstrap (Owen 2007, doi:10.1214/07-AOAS122): the weight of a value is the number of times that its
    first cluster was drawn, times that of its second cluster. The variance of the means is somewhat too large.

    Args:
        values: n values.
        first: the first cluster of each value, such as the participant.
        second: the second cluster of each value, such as the pair.

    Returns:
        Up to `resamples` means: a resample without any value is left out.
    """
    data = np.asarray(values, dtype=np.float64)
    rows, row = np.unique(np.asarray(first), return_inverse=True)
    columns, column = np.unique(np.asarray(second), return_inverse=True)
    sums, counts = np.zeros((2, len(rows), len(columns)))
    np.add.at(sums, (row, column), data)
    np.add.at(counts, (row, column), 1.0)
    rng = numpy_generator(seed, "crossed bootstrap")
    drawn = [rng.multinomial(size, np.full(size, 1 / size), resamples).astype(float) for size in sums.shape]
    totals, weights = (np.einsum("rp,pq,rq->r", drawn[0], table, drawn[1], optimize=True) for table in (sums, counts))
    return totals[weights > 0] / weights[weights > 0]


def crossed_interval(
    values: ArrayLike,
    first: Sequence[str],
    second: Sequence[str],
    *,
    seed: int,
    resamples: int = 10_000,
    confidence: float = 0.95,
) -> tuple[float, float] | tuple[None, None]:
    """Percentile interval of a mean over crossed clusters (`crossed_means`).

    Where all values are 1, or all 0, resamples do not differ. The interval is then Wilson's for as many trials as there
    are clusters of the rarer kind: eight raters who agree on a hundred pairs are eight witnesses.

    Returns:
        The ends; (None, None) with fewer than two clusters of a kind, or where all values are the same share.
    """
    data, fewest = np.asarray(values, dtype=np.float64), min(len(set(first)), len(set(second)))
    if fewest >= 2 and np.ptp(data) == 0 and data[0] in (0, 1):
        return wilson_interval(fewest if data[0] == 1 else 0, fewest, confidence)
    if fewest < 2 or np.ptp(data) == 0:
        return None, None
    return percentile_interval(crossed_means(values, first, second, seed=seed, resamples=resamples), confidence)
