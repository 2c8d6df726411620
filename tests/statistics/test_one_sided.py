"""One-sided tests against numerical maximum likelihood, other libraries, and simulated truths."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import binomtest, norm

from anomend.statistics.one_sided import PairCounts, lowest_limit, rate_tails, ratio_tails, rise_tails


def test_binomial_tails_are_scipys() -> None:
    for k, n, limit in ((0, 16, 0.15), (17, 256, 0.15), (256, 256, 0.9), (3, 8, 0.5)):
        tails = rate_tails(k, n, limit)
        assert tails.beyond == pytest.approx(binomtest(k, n, limit, alternative="less").pvalue, abs=1e-12)
        assert tails.within == pytest.approx(binomtest(k, n, limit, alternative="greater").pvalue, abs=1e-12)


@pytest.mark.parametrize("limit", [-0.3, 0.05, 0.15])
def test_tangos_statistic_by_numerical_likelihood(limit: float) -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        n = int(rng.integers(8, 200))
        both, down, up, neither = (int(count) for count in rng.multinomial(n, rng.dirichlet([0.5] * 4)))

        def unlikely(share: float, counts: tuple[int, int, int] = (down, up, both + neither)) -> float:
            shares = share, share + limit, 1 - 2 * share - limit
            return -sum(count * math.log(max(each, 1e-300)) for count, each in zip(counts, shares, strict=True))

        low, high = max(0.0, -limit), (1 - limit) / 2
        share = minimize_scalar(unlikely, bounds=(low, high), method="bounded", options={"xatol": 1e-9}).x
        spread = math.sqrt(n * (2 * share + limit * (1 - limit)))
        tails = rise_tails(PairCounts(both, down, up, neither), limit)
        assert tails.beyond == pytest.approx(norm.cdf((up - down - n * limit + 1) / spread), abs=2e-4)
        assert tails.within == pytest.approx(norm.cdf((n * limit - up + down + 1) / spread), abs=2e-4)


@pytest.mark.parametrize(
    ("n", "base", "limit", "together"), [(16, 0.03, 0.15, 0.3), (64, 0.8, -0.3, 0.3), (512, 0.03, 0.05, 0.5)]
)
def test_a_rise_at_its_limit_passes_and_fails_in_at_most_5_percent(
    n: int, base: float, limit: float, together: float
) -> None:
    """Pairs whose rates differ by the limit exactly; 20,000 runs have a standard error of .0016."""
    rng = np.random.default_rng(1)
    tuned = base + limit
    both = together * min(base, tuned) + (1 - together) * base * tuned
    tables = rng.multinomial(n, [both, base - both, tuned - both, 1 - base - tuned + both], size=20_000)
    found, counts = np.unique(tables, axis=0, return_counts=True)
    tails = [rise_tails(PairCounts(*(int(cell) for cell in row)), limit) for row in found]
    for passes in ([each.beyond <= 0.05 for each in tails], [each.within <= 0.05 for each in tails]):
        assert np.dot(passes, counts) / counts.sum() <= 0.055


def test_no_pairs_and_no_spread_settle_nothing() -> None:
    assert rise_tails(PairCounts(0, 0, 0, 0), 0.05).beyond == 1
    assert rise_tails(PairCounts(0, 0, 0, 9), 0.0).beyond == rise_tails(PairCounts(0, 0, 0, 9), 0.0).within == 1


def test_students_tails_by_hand() -> None:
    # log(.85 / .7) / .1 = 1.9415 with 20 degrees of freedom: p = .0332.
    tails = ratio_tails(0.85, log_error=0.1, freedom=20, limit=0.7)
    assert tails.beyond == pytest.approx(0.0332, abs=2e-4) and tails.beyond + tails.within == pytest.approx(1)


def test_the_bound_inverts_the_test() -> None:
    bound = lowest_limit(lambda limit: rate_tails(17, 256, limit).beyond, 0.05, low=0, high=1)
    assert bound == pytest.approx(binomtest(17, 256).proportion_ci(0.9, method="exact").high, abs=1e-9)
    assert lowest_limit(lambda limit: 1.0, 0.05, low=0, high=1) == 1
