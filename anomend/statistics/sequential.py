"""Levels of a one-sided test that is repeated while data come in: group-sequential, with error spending.

Looking five times at a 5% test passes 13% of truths at the limit. So each look may only use up a part of the error (Lan
& DeMets 1983, doi:10.1093/biomet/70.3.659). After a share t of the data, t^`EXPONENT` of the error is spent (the power
family of Kim & DeMets 1987, doi:10.1093/biomet/74.1.149). The normal scores of the test at successive looks are those
of a Brownian motion, so the level of each look follows by integrating over the runs that have not stopped (Armitage,
McPherson & Rowe 1969, doi:10.2307/2343787). This is exact for normal data and holds for large samples of anything else.
For this project's tests, many of them discrete, it is checked by simulation
(`studies/experiments/operating_characteristics.md`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from anomend.statistics.one_sided import lowest_limit

EXPONENT = 1.3
"""Of the share of the data. A higher one passes more good corrections and stops later."""
_POINTS = 256
"""Gauss-Legendre points of an integral over a smooth density: levels are exact to 1e-8."""
_FAR = 9.0
"""Standard deviations beyond which a normal density is 0."""

Floats = NDArray[np.float64]


def spent_levels(shares: Sequence[float], error: float) -> tuple[float, ...]:
    """The level of the test at each look.

    Args:
        shares: share of the data that is there at each look: rising, above 0; the last is 1. Equal shares are looks at
            the same data.
        error: probability that any look errs, if the truth is at the limit; above 0, below 1.

    Returns:
        One level for each look, 0 where there are no new data. `(error,)` for a single look.

    Raises:
        ValueError: the shares do not rise to 1.
    """
    found = tuple(float(share) for share in shares)
    rising = all(before <= after for before, after in pairwise(found))
    if not found or found[0] <= 0 or found[-1] != 1 or not rising:
        raise ValueError(f"shares of looks rise from above 0 to 1, and {list(found)} do not")
    return (error,) if len(found) == 1 else _levels(found, error, EXPONENT)


def spent(share: float, error: float) -> float:
    """How much of the error is spent after a share of the data."""
    return float(error * share**EXPONENT)


@lru_cache(maxsize=256)
def _levels(shares: tuple[float, ...], error: float, exponent: float) -> tuple[float, ...]:
    from scipy.special import ndtr  # Not at the top: a stage that decides nothing need not load it.

    levels: list[float] = []
    # Runs that have not stopped: where they are, with which density times the width of a step. At first all are at 0.
    points, weights, before = np.zeros(1), np.ones(1), 0.0
    for share in shares:
        step = np.sqrt(share - before)
        if step == 0:
            levels.append(0.0)
            continue
        spent, far = error * (share**exponent - before**exponent), _FAR * np.sqrt(share)

        def crossing(bound: float, points: Floats = points, weights: Floats = weights, step: float = step) -> float:
            return float(weights @ ndtr((points - bound) / step))

        bound = lowest_limit(crossing, spent, low=-far, high=far)
        levels.append(float(ndtr(-bound / np.sqrt(share))))
        nodes, widths = np.polynomial.legendre.leggauss(_POINTS)
        half = (bound + far) / 2
        stayed = bound - half + half * nodes
        density = np.exp(-(((stayed[:, None] - points) / step) ** 2) / 2) @ weights / (step * np.sqrt(2 * np.pi))
        points, weights, before = stayed, density * widths * half, share
    return tuple(levels)
