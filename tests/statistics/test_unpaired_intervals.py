"""Intervals of two sets without common seeds: their coverage where the truth is known, and scipy's bootstrap."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import bootstrap, norm
from scipy.stats import t as student

from anomend.statistics.unpaired_intervals import unpaired_interval, within_set_interval


def similarities(values: np.ndarray) -> np.ndarray:
    """Of scalars: minus their squared distance, whose within-set mean is -2 variances."""
    return -((values[:, None] - values[None, :]) ** 2)


def stretched(ends: tuple[float, float], centre: float, images: int) -> tuple[float, float]:
    """Two sets of so many images together: k / (k - 2) of the variance, and Student's quantile for the normal's."""
    factor = math.sqrt(images / (images - 2)) * student.ppf(0.975, images - 2) / norm.ppf(0.975)
    return centre + factor * (ends[0] - centre), centre + factor * (ends[1] - centre)


def test_difference_of_means_is_scipys_stretched() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=10), rng.normal(1, 2, size=8)
    found = unpaired_interval(first, second, seed=0, resamples=40_000)
    expected = bootstrap(
        (second, first),
        lambda a, b, axis: a.mean(axis=axis) - b.mean(axis=axis),
        n_resamples=40_000,
        method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval
    ends = stretched((expected.low, expected.high), second.mean() - first.mean(), 18)
    assert found == pytest.approx(ends, abs=0.03)


def test_within_set_is_plain_resampling_stretched() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(size=6), rng.normal(0, 2, size=7)])
    differences = []
    while len(differences) < 2500:
        means = []
        for start, n in ((0, 6), (6, 7)):
            drawn = rng.integers(start, start + n, size=n)
            pairs = [-((values[i] - values[j]) ** 2) for i in drawn for j in drawn if i != j]
            means += [np.mean(pairs)] if pairs else []
        if len(means) == 2:
            differences.append(means[1] - means[0])
    low, high = np.quantile(differences, [0.025, 0.975])
    delta = -2 * values[6:].var(ddof=1) + 2 * values[:6].var(ddof=1)
    found = within_set_interval(similarities(values), 6, seed=0)
    assert found == pytest.approx(stretched((low, high), delta, 13), rel=0.08)


def test_coverage_at_ten_images_a_set() -> None:
    rng = np.random.default_rng(0)
    means, within, runs = 0, 0, 400
    for run in range(runs):
        first, second = rng.normal(size=10), rng.normal(1, 0.5, size=10)
        low, high = unpaired_interval(first, second, seed=run, resamples=400) or (np.nan, np.nan)
        means += low <= 1 <= high
        both = similarities(np.concatenate([first, second]))
        low, high = within_set_interval(both, 10, seed=run, resamples=400) or (np.nan, np.nan)
        # Variances 1 and .25: -2 * .25 - -2 * 1.
        within += low <= 1.5 <= high
    # 400 runs: the standard errors are .011 and .017.
    assert 0.92 < means / runs < 0.985
    assert 0.82 < within / runs < 0.93


def test_an_image_is_never_compared_with_itself() -> None:
    matrix = np.full((10, 10), 0.2)
    np.fill_diagonal(matrix, 1)
    assert within_set_interval(matrix, 5, seed=0, resamples=2000) == pytest.approx((0, 0), abs=1e-12)


def test_few_images_have_no_interval_and_bad_values_are_named() -> None:
    assert unpaired_interval([1.0] * 4, [2.0] * 9, seed=0) is None
    assert within_set_interval(np.eye(9), 4, seed=0) is None
    with pytest.raises(ValueError, match="NaN or infinite"):
        unpaired_interval([np.nan] * 5, [1.0] * 5, seed=0)
    with pytest.raises(ValueError, match="square"):
        within_set_interval(np.ones((3, 4)), 1, seed=0)
    with pytest.raises(ValueError, match="NaN or infinite"):
        within_set_interval(np.full((12, 12), np.inf), 6, seed=0)
