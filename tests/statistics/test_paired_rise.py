"""The rise of a paired rate against numerical maximum likelihood, enumeration, and simulated truths."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import multinomial, norm

from anomend.statistics.paired_rise import EXACT_PAIRS, PairCounts, rise_interval, rise_tails


@pytest.mark.parametrize("limit", [-0.3, 0.05, 0.15])
def test_tangos_statistic_by_numerical_likelihood(limit: float) -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        n = int(rng.integers(EXACT_PAIRS + 1, 300))
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
    """Pairs whose rates differ by the limit; 20,000 runs have a standard error of .0016."""
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


def test_the_exact_test_by_listing_all_tables() -> None:
    """Four pairs and a limit of .2: the tables that speak as clearly for a smaller rise, at the worst share."""
    n, limit = 4, 0.2
    tables = [(down, up, n - down - up) for down, up in itertools.product(range(n + 1), repeat=2) if down + up <= n]

    def score(down: int, up: int) -> float:
        shares = np.linspace(0, (1 - limit) / 2, 4001)[1:-1]
        likelihood = [
            multinomial.logpmf([down, up, n - down - up], n, [q, q + limit, 1 - 2 * q - limit]) for q in shares
        ]
        share = shares[int(np.argmax(likelihood))] if down else 0.0
        return float((up - down - n * limit) / math.sqrt(n * (2 * share + limit * (1 - limit))))

    scores = {table: score(*table[:2]) for table in tables}
    for down, up in ((2, 0), (0, 0), (1, 1), (0, 2)):
        seen = scores[down, up, n - down - up]
        as_clear = [table for table in tables if scores[table] <= seen + 1e-3]
        worst = max(
            multinomial.pmf(as_clear, n, [q, q + limit, 1 - 2 * q - limit]).sum()
            for q in np.linspace(0, (1 - limit) / 2, 401)
        )
        assert rise_tails(PairCounts(0, down, up, n - down - up), limit).beyond == pytest.approx(worst, abs=2e-3)


def test_the_exact_test_keeps_its_level_at_every_share() -> None:
    n, limit = 40, 0.15
    tables = np.array([(down, up, n - down - up) for down in range(n + 1) for up in range(n + 1 - down)])
    tails = [rise_tails(PairCounts(0, int(down), int(up), int(rest)), limit) for down, up, rest in tables]
    passed, failed = (np.array([getattr(each, side) <= 0.05 for each in tails]) for side in ("beyond", "within"))
    for share in np.linspace(1e-6, (1 - limit) / 2 - 1e-6, 173):
        chance = multinomial.pmf(tables, n, [share, share + limit, 1 - 2 * share - limit])
        assert chance[passed].sum() <= 0.0505 and chance[failed].sum() <= 0.0505


@pytest.mark.parametrize(
    ("pairs", "by_hand"), [((1, 12, 44, 423), (0.0368, 0.0966)), ((25, 238, 2, 55), (-0.787, -0.688))]
)
def test_an_interval_of_many_pairs_is_near_that_of_the_normal_distribution(
    pairs: tuple[int, int, int, int], by_hand: tuple[float, float]
) -> None:
    """By hand: rise +- 1.96 sqrt(changed - difference^2 / n) / n; the score's correction reaches a little farther."""
    counts = PairCounts(*pairs)
    low, high = rise_interval(counts)
    assert low == pytest.approx(by_hand[0], abs=0.008) and high == pytest.approx(by_hand[1], abs=0.008)
    swapped = rise_interval(PairCounts(counts.both, counts.only_tuned, counts.only_base, counts.neither))
    assert swapped == pytest.approx((-high, -low), abs=1e-6)


@pytest.mark.parametrize("n", [12, 200])
def test_an_interval_covers_the_rise(n: int) -> None:
    """Of 400 draws from known shares at least 93%; the test's own level is below."""
    shares, rise = (0.02, 0.1, 0.15, 0.73), 0.05
    drawn = Counter(tuple(map(int, counts)) for counts in np.random.default_rng(n).multinomial(n, shares, size=400))
    covered = 0
    for counts, times in drawn.items():
        low, high = rise_interval(PairCounts(*counts))
        covered += times * (low <= rise <= high)
    assert covered / 400 >= 0.93
