"""E-values against numerical integration and exact enumeration of all sequences; e-BH against its definition."""

from __future__ import annotations

import math
from itertools import pairwise, product

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import beta

from anomend.statistics.e_values import e_discoveries, log_e_above


@pytest.mark.parametrize(("k", "n"), [(0, 0), (0, 8), (5, 8), (8, 8), (3, 40)])
@pytest.mark.parametrize("limit", [0.2, 0.4])
def test_it_is_the_mean_likelihood_ratio_over_the_rates_above_the_limit(k: int, n: int, limit: float) -> None:
    def ratio(rate: float) -> float:
        return (rate / limit) ** k * ((1 - rate) / (1 - limit)) ** (n - k)

    prior = beta(2, 3)
    mean = quad(lambda rate: ratio(rate) * prior.pdf(rate), limit, 1)[0] / prior.sf(limit)
    assert math.exp(log_e_above(k, n, limit, (2.0, 3.0))) == pytest.approx(mean, rel=1e-6)


@pytest.mark.parametrize("rate", [0.05, 0.2])
def test_its_mean_is_at_most_1_under_the_hypothesis_also_where_one_stops_when_it_looks_best(rate: float) -> None:
    """All 4,096 sequences of twelve images; sampling stops at the first e-value of 5 or more."""
    mean = chance = 0.0
    for images in product((0, 1), repeat=12):
        weight = math.prod(rate if image else 1 - rate for image in images)
        values = [math.exp(log_e_above(sum(images[:n]), n, 0.2)) for n in range(1, 13)]
        stopped = next((value for value in values if value >= 5), values[-1])
        mean, chance = mean + weight * stopped, chance + weight * (max(values) >= 5)
    assert mean <= 1 + 1e-12 and chance <= 1 / 5
    # At the limit itself nothing is lost: it is a fair bet.
    assert rate < 0.2 or mean == pytest.approx(1)


def test_evidence_grows_with_anomalies_and_is_large_where_the_rate_is() -> None:
    values = [log_e_above(k, 16, 0.2) for k in range(17)]
    assert all(before < after for before, after in pairwise(values))
    assert values[2] < 0 and math.exp(values[13]) > 1000
    # No anomaly in very many images: less than what a float can hold.
    assert log_e_above(0, 4000, 0.2) == -math.inf


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="0 <= k <= n"):
        log_e_above(9, 8, 0.2)
    with pytest.raises(ValueError, match="0 < limit < 1"):
        log_e_above(1, 8, 1.0)


@pytest.mark.parametrize(
    ("values", "refused"),
    [
        # Of four, one needs 80, two need 40 each, three 26.7, four 20.
        ([1.0, 1.0, 1.0, 1.0], []),
        ([79.0, 1.0, 1.0, 1.0], []),
        ([81.0, 1.0, 1.0, 1.0], [0]),
        ([30.0, 1.0, 41.0, 26.0], []),
        ([30.0, 1.0, 41.0, 27.0], [2, 0, 3]),
        ([21.0, 21.0, 21.0, 21.0], [0, 1, 2, 3]),
    ],
)
def test_e_bh_refuses_the_most_that_all_reach_their_threshold(values: list[float], refused: list[int]) -> None:
    assert e_discoveries([math.log(value) for value in values], 0.05) == refused


def test_false_discoveries_are_rare_where_nothing_is_to_be_found() -> None:
    """Sixty prompts at the limit, looked at after every eighth image of 64, in 400 runs: exact bound .05."""
    rng, wrong = np.random.default_rng(5), 0
    table = {(k, n): log_e_above(k, n, 0.2) for n in range(8, 65, 8) for k in range(n + 1)}
    for _ in range(400):
        counts = np.cumsum(rng.binomial(8, 0.2, size=(60, 8)), axis=1)
        best = [max(table[int(k), 8 * (look + 1)] for look, k in enumerate(row)) for row in counts]
        wrong += bool(e_discoveries(best, 0.05))
    assert wrong / 400 <= 0.05
