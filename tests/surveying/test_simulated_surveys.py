"""Simulated surveys: the truth that they were drawn from lies within the intervals as often as it should."""

from __future__ import annotations

from functools import cache, partial
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import statsmodels.api as sm

from anomend.surveying.exclusion import ExclusionRules
from anomend.surveying.mixed_model import mixed_logistic
from anomend.surveying.tally import tally
from tests.surveying.known_raters import Raters, simulate, simulate_mixed

pytestmark = pytest.mark.slow
SURVEYS, LEAST = 50, 44
"""Where 95 of 100 intervals hold the truth, fewer than 44 of 50 do with chance 1.2%."""
NOISY = Raters(preference=0.7, noise=0.2, participants=15, pairs=20, repeats=5)
LEANING = Raters(preference=0.6, noise=0.1, left=0.3, careless=3, catches=8, participants=15, pairs=20)


@cache
def surveys(raters: Raters) -> list[dict[str, Any]]:
    rules = ExclusionRules(max_failed_catches=1, min_median_ms=500)
    # The mixed model takes half of the rest, and has a test of its own below.
    with patch("anomend.surveying.tally.mixed_logistic", return_value={}):
        return [tally(simulate(raters, seed), seed, resamples=1000, rules=rules) for seed in range(SURVEYS)]


def recovered(results: list[dict[str, Any]], truth: float, prefix: str = "") -> int:
    """In how many results the interval holds the truth."""
    return sum(each[f"{prefix}ci_low"] <= truth <= each[f"{prefix}ci_high"] for each in results)


@pytest.mark.parametrize("raters", [NOISY, LEANING], ids=["noisy", "leaning left, some careless"])
def test_preference_for_a_model_and_for_a_side_are_recovered(raters: Raters) -> None:
    results = surveys(raters)
    assert recovered(results, raters.win_rate) >= LEAST
    assert recovered(results, raters.left_rate, "left_") >= LEAST


def test_rater_noise_is_recovered() -> None:
    results = surveys(NOISY)
    consistency = (1 - NOISY.noise) ** 2 + NOISY.noise**2
    assert recovered(results, consistency, "repeat_") >= LEAST
    assert np.mean([each["rater_noise"] for each in results]) == pytest.approx(NOISY.noise, abs=0.02)


def test_only_random_clickers_are_caught() -> None:
    # Of eight catch pairs a random clicker fails at most one with chance 9 / 256.
    caught = [each["excluded_by_catch"] for each in surveys(LEANING)]
    assert max(caught) <= LEANING.careless
    assert np.mean(caught) == pytest.approx(LEANING.careless * (1 - 9 / 256), abs=0.15)


def test_the_mixed_model_recovers_what_it_was_drawn_from() -> None:
    draw = partial(simulate_mixed, log_odds=0.8, side=0.5, sd_participant=0.7, sd_pair=0.9, participants=15, pairs=24)
    results = [mixed_logistic(draw(seed=seed), seed) for seed in range(SURVEYS)]
    assert recovered(results, 0.8) >= LEAST
    assert recovered(results, 0.5, "left_") >= LEAST
    assert np.mean([each["sd_participant"] for each in results]) == pytest.approx(0.7, abs=0.1)
    assert np.mean([each["sd_pair"] for each in results]) == pytest.approx(0.9, abs=0.1)


def test_without_differences_between_raters_it_is_a_logistic_regression() -> None:
    votes = simulate_mixed(log_odds=0.4, side=0.8, sd_participant=0.0, sd_pair=0.0, seed=3, participants=40, pairs=40)
    side = np.where(votes["left_model"] == "tuned", 0.5, -0.5)
    plain = sm.Logit((votes["vote"] == "tuned").astype(float), sm.add_constant(side)).fit(disp=0)
    fitted = mixed_logistic(votes, seed=0)
    assert [fitted["log_odds_tuned"], fitted["log_odds_left"]] == pytest.approx(list(plain.params), abs=0.03)
    widths = [fitted["ci_high"] - fitted["ci_low"], fitted["left_ci_high"] - fitted["left_ci_low"]]
    # The effects of participants and pairs are small but not zero, so the first interval is somewhat wider.
    assert widths[1] == pytest.approx(2 * 1.96 * plain.bse.iloc[1], rel=0.05)
    assert 1 <= widths[0] / (2 * 1.96 * plain.bse.iloc[0]) < 1.6
