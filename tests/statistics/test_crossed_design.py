"""Planning of crossed votes, against simulated surveys and formulas by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import expit

from anomend.project.seeding import numpy_generator
from anomend.statistics.crossed import crossed_interval
from anomend.statistics.crossed_design import crossed_votes, interval_width, power_above, smallest

SD_RATER, SD_PAIR, INTERCEPT = 0.4, 0.8, 0.7


def simulated(raters: int, pairs: int, seed: int) -> np.ndarray:
    """Votes of the mixed logistic model, one row per rater."""
    rng = numpy_generator(seed, "planned survey")
    people, difficulty = rng.normal(0, SD_RATER, (raters, 1)), rng.normal(0, SD_PAIR, (1, pairs))
    return (rng.random((raters, pairs)) < expit(INTERCEPT + people + difficulty)).astype(float)


def truth() -> float:
    """The share of votes that the model gives, by simulation of the effects alone."""
    rng = numpy_generator(0, "truth")
    return float(expit(INTERCEPT + rng.normal(0, math.hypot(SD_RATER, SD_PAIR), 200_000)).mean())


@pytest.mark.slow
@pytest.mark.parametrize(("raters", "pairs"), [(10, 32), (30, 16)])
def test_width_and_power_are_those_of_simulated_surveys(raters: int, pairs: int) -> None:
    votes = crossed_votes(truth(), sd_rater=SD_RATER, sd_pair=SD_PAIR)
    first = [str(rater) for rater in range(raters) for _ in range(pairs)]
    second = [str(pair) for _ in range(raters) for pair in range(pairs)]
    intervals = [
        crossed_interval(simulated(raters, pairs, seed).ravel(), first, second, seed=seed, resamples=300)
        for seed in range(120)
    ]
    ends = np.array(intervals, dtype=float)
    widths = ends[:, 1] - ends[:, 0]
    assert widths.mean() == pytest.approx(interval_width(votes, raters, pairs), rel=0.05)
    limit = truth() - 0.12
    above = float((ends[:, 0] > limit).mean())
    assert above == pytest.approx(power_above(votes, raters, pairs, limit=limit, error=0.025), abs=0.13)


def test_without_differences_it_is_a_rate() -> None:
    votes = crossed_votes(0.6, sd_rater=0, sd_pair=0)
    assert (votes.rater, votes.pair) == pytest.approx((0, 0), abs=1e-9) and votes.rest == pytest.approx(0.24)
    assert votes.true_error(10, 20) == pytest.approx(math.sqrt(0.24 / 200))
    shown = 0.24 / 200 * (1.9 * 1.95 - 1)
    assert interval_width(votes, 10, 20) == pytest.approx(2 * 1.959964 * math.sqrt(shown), rel=1e-6)


def test_the_variances_are_those_of_drawn_effects() -> None:
    votes = crossed_votes(0.7, sd_rater=0.5, sd_pair=1.0)
    assert votes.rater + votes.pair + votes.rest == pytest.approx(0.21)
    rng = numpy_generator(0, "effects")
    people, difficulty = rng.normal(0, 0.5, 1500), rng.normal(0, 1.0, 1500)
    # The constant by which 70% of the votes are for one side: by bisection on the same draws.
    low, high = -5.0, 5.0
    for _ in range(40):
        middle = (low + high) / 2
        chances = expit(middle + people[:, None] + difficulty)
        low, high = (middle, high) if chances.mean() < 0.7 else (low, middle)
    assert votes.rater == pytest.approx(chances.mean(axis=1).var(), rel=0.1)
    assert votes.pair == pytest.approx(chances.mean(axis=0).var(), rel=0.1)


def test_the_smallest_number_is_enough_and_one_less_is_not() -> None:
    votes = crossed_votes(0.65, sd_rater=0.4, sd_pair=0.8)
    needed = smallest(lambda raters: 0.2 - interval_width(votes, raters, 64))
    assert needed is not None
    assert interval_width(votes, needed, 64) <= 0.2 < interval_width(votes, needed - 1, 64)
    # However many raters: the pairs alone leave more than that.
    assert smallest(lambda raters: 0.1 - interval_width(votes, raters, 16)) is None
    assert smallest(lambda raters: 1.0) == 2
    strong = smallest(lambda raters: power_above(votes, raters, 64, limit=0.5, error=0.05) - 0.8)
    assert strong is not None and power_above(votes, strong, 64, limit=0.5, error=0.05) >= 0.8 - 1e-4
