"""Intervals of a rate, against statsmodels, against their definition, and by exact enumeration of where one stops."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta, binom
from statsmodels.stats.proportion import proportion_confint

from anomend.statistics.confidence_sequences import exact_interval, sequence_interval


@pytest.mark.parametrize(("k", "n"), [(0, 24), (3, 24), (19, 24), (24, 24), (1, 1)])
@pytest.mark.parametrize("confidence", [0.95, 1 - 0.05 / 3])
def test_the_exact_interval_is_that_of_statsmodels(k: int, n: int, confidence: float) -> None:
    expected = proportion_confint(k, n, alpha=1 - confidence, method="beta")
    assert exact_interval(k, n, confidence) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("rate", [0.02, 0.2, 0.5, 0.81])
def test_the_exact_interval_covers_by_the_sum_over_all_counts(rate: float) -> None:
    ends = [exact_interval(k, 24) for k in range(25)]
    assert sum(binom.pmf(k, 24, rate) for k, (low, high) in enumerate(ends) if low <= rate <= high) >= 0.95


def test_without_images_nothing_is_excluded_and_the_ends_stay_at_0_and_1() -> None:
    assert sequence_interval(0, 0) == (0.0, 1.0)
    assert sequence_interval(0, 40)[0] == 0.0 and sequence_interval(40, 40)[1] == 1.0
    low, high = sequence_interval(10, 40)
    assert 0 < low < 0.25 < high < 1 and sequence_interval(100, 400)[1] < high


@pytest.mark.parametrize(("k", "n"), [(0, 16), (5, 8), (8, 8)])
def test_it_has_the_rates_that_the_mixture_of_all_rates_does_not_beat(k: int, n: int) -> None:
    prior = beta(0.5, 0.5)

    def ratio(rate: float) -> float:
        return float(prior.expect(lambda other: binom.pmf(k, n, other)) / binom.pmf(k, n, rate))

    low, high = sequence_interval(k, n)
    for inside, outside in ((low + 1e-3, low - 1e-3), (high - 1e-3, high + 1e-3)):
        assert ratio(inside) < 20
        assert not 0 < outside < 1 or ratio(outside) > 20


def test_impossible_counts_are_refused() -> None:
    for interval in (sequence_interval, exact_interval):
        with pytest.raises(ValueError, match="0 <= k <= n"):
            interval(5, 4)


@pytest.mark.parametrize("rate", [0.03, 0.2, 0.7])
def test_the_sequence_misses_the_rate_at_any_of_a_hundred_looks_in_at_most_5_percent_of_runs(rate: float) -> None:
    """Exactly, by the chance of every path that has been covered so far: no simulation."""
    covered = np.array([1.0])
    for n in range(1, 101):
        came = np.zeros(n + 1)
        came[:n] += covered * (1 - rate)
        came[1:] += covered * rate
        ends = [sequence_interval(k, n) for k in range(n + 1)]
        covered = came * [low <= rate <= high for low, high in ends]
    assert covered.sum() >= 0.95
    # The usual interval, looked at as often, misses more often than it says.
    usual = np.array([1.0])
    for n in range(1, 101):
        came = np.zeros(n + 1)
        came[:n] += usual * (1 - rate)
        came[1:] += usual * rate
        low, high = proportion_confint(np.arange(n + 1), n, method="wilson")
        usual = came * ((low <= rate) & (rate <= high))
    assert usual.sum() < 0.9
