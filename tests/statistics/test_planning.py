"""How many seeds or prompts settle what a comparison left open."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from anomend.statistics import (
    Spread,
    difference_spread,
    paired_effect,
    power_to_settle,
    prompts_to_settle,
    seeds_to_settle,
)


def differences(rng: np.random.Generator, deltas: np.ndarray, discordant: float, seeds: int) -> np.ndarray:
    """-1, 0 and 1, of the given means by prompt and the given share that is not 0; shape (prompts, seeds)."""
    noise = rng.random((len(deltas), seeds))
    worse = (discordant + deltas[:, None]) / 2
    return np.where(noise < worse, 1.0, np.where(noise < discordant, -1.0, 0.0))


def share_settled(
    bound: float, delta: float, sd_prompts: float, discordant: float, clusters: int, seeds: int, runs: int = 250
) -> float:
    """Share of simulated comparisons whose interval ends below the bound."""
    rng = np.random.default_rng(0)
    names = [f"prompt {index}" for index in range(clusters) for _ in range(seeds)]
    settled = 0
    for run in range(runs):
        deltas = delta + sd_prompts * rng.choice([-1.0, 1.0], clusters)
        values = differences(rng, deltas, discordant, seeds).ravel()
        base, tuned = (values < 0).astype(int), (values > 0).astype(int)
        effect = paired_effect(base, tuned, names, better="lower", seed=run, resamples=250)
        assert effect.ci_high is not None
        settled += effect.ci_high < bound
    return settled / runs


@pytest.mark.parametrize(
    ("bound", "delta", "sd_prompts", "discordant", "clusters"),
    [(0.05, 0.02, 0.015, 0.08, 8), (0.05, 0.01, 0.0, 0.25, 10), (0.0, -0.2, 0.0, 0.5, 2)],
)
def test_advised_seeds_have_the_power_they_say(
    bound: float, delta: float, sd_prompts: float, discordant: float, clusters: int
) -> None:
    """The advice from the true spread, checked with the interval that the comparison computes.

    250 runs: the standard error of a share of .8 is .025.
    """
    spread = Spread(math.sqrt(discordant - delta**2), sd_prompts, clusters)
    seeds = seeds_to_settle(bound - delta, spread)
    assert seeds is not None and 10 < seeds < 400
    assert 0.73 < share_settled(bound, delta, sd_prompts, discordant, clusters, seeds) < 0.87
    # Half of it is clearly too few, so the number is not only an upper bound.
    assert share_settled(bound, delta, sd_prompts, discordant, clusters, seeds // 2) < 0.68


def test_where_prompts_differ_only_more_prompts_help() -> None:
    spread = Spread(0.3, 0.06, 6)
    assert seeds_to_settle(0.04, spread) is None
    prompts = prompts_to_settle(0.04, spread, 64)
    assert prompts is not None and prompts > 6
    assert 0.73 < share_settled(0.05, 0.01, 0.06, 0.09 + 0.01**2, prompts, 64) < 0.87


def test_power_is_that_of_a_z_test_for_many_seeds() -> None:
    # Two prompts of 5,000 seeds: t is normal. Distance 3 standard errors: P(Z > 1.96 - 3).
    error = 0.5 / math.sqrt(10_000)
    assert power_to_settle(3 * error, Spread(0.5, 0, 2), 5000) == pytest.approx(norm.cdf(3 - 1.95996), abs=1e-3)
    assert power_to_settle(0.1, Spread(0, 0, 2), 10) == 1


def test_no_number_is_advised_where_none_helps() -> None:
    assert seeds_to_settle(0.0, Spread(0.3, 0, 8)) is None
    assert seeds_to_settle(-0.01, Spread(0.3, 0, 8)) is None
    assert seeds_to_settle(1e-5, Spread(0.3, 0, 8)) is None
    assert prompts_to_settle(1e-5, Spread(0.3, 0.1, 8), 64) is None


def test_spread_agrees_with_what_was_drawn() -> None:
    rng = np.random.default_rng(0)
    values = np.repeat(rng.normal(0.1, 0.5, 400), 20) + rng.normal(0, 2, 8000)
    spread = difference_spread(values, [str(index) for index in range(400) for _ in range(20)])
    assert spread is not None and spread.clusters == 400
    assert spread.seeds == pytest.approx(2, rel=0.03)
    assert spread.prompts == pytest.approx(0.5, rel=0.15)


def test_spread_by_hand_and_where_there_is_none() -> None:
    # Two prompts of two: squares within 2 + 0 over 2 degrees of freedom; prompts are not asked about.
    assert difference_spread([0, 2, 5, 5], ["a", "a", "b", "b"]) == Spread(1.0, 0.0, 2)
    # Five prompts whose means differ less than their seeds do by chance: none of it is the prompts'.
    assert difference_spread([0, 1] * 5, [str(index // 2) for index in range(10)]) == Spread(math.sqrt(0.5), 0.0, 5)
    assert difference_spread([1, 2], ["a", "b"]) is None
    assert difference_spread([], []) is None
