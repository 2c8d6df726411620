"""Intervals over pairs: pairs, not answers, are resampled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from anomend.statistics.proportions import wilson_interval
from anomend.statistics.resampling import bootstrap_means, resampled_units, stretched_interval

MIN_PAIRS = 5
"""Resampling fewer pairs shows almost no spread."""


def interval(scores: NDArray[np.float64], seed: int, resamples: int) -> tuple[float, float] | tuple[None, None]:
    """95% bootstrap interval, every pair a cluster of its own.

    If every pair is won (or lost), resampling shows no spread, and the Wilson interval is used instead.
    """
    if len(scores) > 0 and np.ptp(scores) == 0 and scores[0] in (0, 1):
        return wilson_interval(round(scores.sum()), len(scores))
    if len(scores) < MIN_PAIRS or np.ptp(scores) == 0:
        return None, None
    pairs = [str(pair) for pair in range(len(scores))]
    means, _ = bootstrap_means(scores, pairs, seed=seed, resamples=resamples)
    return stretched(means, float(scores.mean()), pairs)


def stretched(rates: NDArray[np.float64], rate: float, pairs: Sequence[str]) -> tuple[float, float]:
    """The interval of a rate from its resamples; few pairs make resamples differ too little."""
    low, high = stretched_interval(rates, rate, *resampled_units(pairs))
    return max(0.0, low), min(1.0, high)
