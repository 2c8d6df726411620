"""Comparisons of per-image values, paired by prompt and seed."""

import json
import math
from dataclasses import fields
from itertools import product

import numpy as np
import pytest
from scipy.stats import norm
from scipy.stats import t as student

from anomend.statistics.effect import Effect
from anomend.statistics.paired import paired_effect
from anomend.statistics.proportions import newcombe_interval
from anomend.statistics.resampling import (
    bootstrap_means,
    percentile_interval,
    resampled_units,
    sign_flip_test,
    small_sample_stretch,
)


def prompts(count: int, seeds: int) -> list[str]:
    return [f"prompt {index}" for index in range(count) for _ in range(seeds)]


def test_effect_has_the_fields_of_the_metric_file() -> None:
    names = [field.name for field in fields(Effect)]
    contract = "base tuned delta ci_low ci_high p n clusters better method reason win tie loss"
    ratio = ["ratio", "ratio_ci_low", "ratio_ci_high"]
    assert names == [*contract.split(), *ratio]
    effect = paired_effect([1.0] * 8, [2.0] * 8, prompts(2, 4), better="higher", seed=0)
    assert set(effect.as_dict()) == set(names) - {"reason", *ratio}
    json.dumps(effect.as_dict(), allow_nan=False)


def test_binary_values_by_hand() -> None:
    base = np.array([1, 1, 1, 1, 1, 1, 0, 0, 0, 1])
    tuned = np.array([0, 0, 0, 0, 0, 1, 0, 1, 0, 0])
    effect = paired_effect(base, tuned, prompts(5, 2), better="lower", seed=1)
    assert (effect.base, effect.tuned, effect.n, effect.clusters) == (0.7, 0.2, 10, 5)
    assert effect.delta == pytest.approx(-0.5)
    assert (effect.win, effect.tie, effect.loss) == (6, 3, 1)
    # Mid-p: 2 P(0 of 7) + P(1 of 7), both tails and half of what was seen in each.
    assert effect.p == pytest.approx((2 * 1 + 7) / 2**7)
    assert "mid-p McNemar" in effect.method and "prompts as clusters (5)" in effect.method
    assert effect.ci_low is not None and effect.ci_high is not None
    assert -1 <= effect.ci_low < -0.5 < effect.ci_high < 0.4


def test_real_values_by_listing_all_sign_flips() -> None:
    rng = np.random.default_rng(3)
    base, tuned = rng.normal(size=9), rng.normal(0.8, size=9)
    effect = paired_effect(base, tuned, prompts(3, 3), better="higher", seed=0)
    sums = [abs(np.dot(signs, tuned - base)) for signs in product((-1, 1), repeat=9)]
    assert effect.p == pytest.approx(np.mean(np.array(sums) >= abs((tuned - base).sum()) - 1e-12))
    assert "exact sign-flip" in effect.method and "pairs within each prompt (3 < 5" in effect.method
    assert (effect.win or 0) + (effect.loss or 0) == 9


def test_monte_carlo_agrees_with_the_exact_p_and_is_never_zero() -> None:
    rng = np.random.default_rng(0)
    weights = rng.normal(0.25, 1, size=16)
    exact, how = sign_flip_test(weights, seed=0)
    # A 17th weight that hardly matters takes the other road.
    drawn, drawn_how = sign_flip_test([*weights, 1e-6], seed=0)
    assert "exact" in how and "draws" in drawn_how
    assert drawn == pytest.approx(exact, abs=0.015)
    assert sign_flip_test(np.ones(40), seed=0, permutations=999)[0] == pytest.approx(1 / 1000)


def test_direction_decides_who_wins() -> None:
    base, tuned = np.zeros(6), np.array([1.0, 1, 1, 0, 0, -1])
    for better, expected in (("higher", (3, 2, 1)), ("lower", (1, 2, 3)), ("closer", (None, None, None))):
        effect = paired_effect(base, tuned, ["a"] * 6, better=better, seed=0)  # type: ignore[arg-type]
        assert (effect.win, effect.tie, effect.loss) == expected


@pytest.mark.parametrize("n", [1, 2, 5])
def test_too_few_pairs_give_means_and_a_reason(n: int) -> None:
    effect = paired_effect([1] * n, [0] * n, ["a"] * n, better="lower", seed=0)
    assert (effect.base, effect.tuned, effect.delta, effect.n) == (1, 0, -1, n)
    assert effect.p is effect.ci_low is effect.ci_high is None
    assert effect.reason is not None and f"{n} pairs" in effect.reason


def test_no_pairs_at_all() -> None:
    effect = paired_effect([], [], [], better="lower", seed=0)
    assert effect.base is effect.delta is effect.p is None
    assert effect.reason == "no pairs"


def test_no_discordant_pair_keeps_an_interval_with_a_width() -> None:
    base = [0] * 30 + [1] * 10
    effect = paired_effect(base, base, prompts(5, 8), better="lower", seed=0)
    assert (effect.delta, effect.p, effect.tie) == (0, 1, 40)
    assert (effect.ci_low, effect.ci_high) == newcombe_interval(10, 0, 0, 30)
    assert "Newcombe" in effect.method


def test_every_pair_corrected_does_not_claim_certainty() -> None:
    effect = paired_effect([1] * 12, [0] * 12, prompts(6, 2), better="lower", seed=0)
    assert effect.delta == -1 and effect.p == pytest.approx(1 / 2**12)
    assert effect.ci_high is not None and effect.ci_high > -0.9


def test_equal_real_values() -> None:
    same = paired_effect([0.3] * 8, [0.3] * 8, prompts(2, 4), better="higher", seed=0)
    assert (same.delta, same.p, same.ci_low, same.ci_high) == (0, 1, 0, 0)
    assert "no spread" in same.method


def test_same_seed_same_effect() -> None:
    rng = np.random.default_rng(1)
    base, tuned = rng.normal(size=40), rng.normal(size=40)
    first, again, other = (paired_effect(base, tuned, prompts(8, 5), better="higher", seed=s) for s in (5, 5, 6))
    assert first == again and first != other


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="one length"):
        paired_effect([1, 2], [1], ["a", "a"], better="lower", seed=0)
    with pytest.raises(ValueError, match="NaN"):
        paired_effect([1, float("nan")], [1, 2], ["a", "a"], better="lower", seed=0)


@pytest.mark.parametrize(("count", "seeds", "lowest"), [(20, 3, 0.88), (2, 20, 0.90)])
def test_bootstrap_covers(count: int, seeds: int, lowest: float) -> None:
    """Differences with a spread of their own between prompts (clusters), or between seeds only (2 prompts)."""
    rng = np.random.default_rng(0)
    between = 1.0 if count >= 5 else 0.0
    hits, runs = 0, 300
    for run in range(runs):
        values = np.repeat(rng.normal(0, between, count), seeds) + rng.normal(0.4, 1, count * seeds)
        low, high = percentile_interval(bootstrap_means(values, prompts(count, seeds), seed=run, resamples=400)[0])
        hits += low <= 0.4 <= high
    assert lowest < hits / runs < 0.985


def test_stretch_by_hand() -> None:
    # Eight prompts: sqrt(8 / 7) t(.975, 7) / z(.975).
    assert small_sample_stretch(8) == pytest.approx(math.sqrt(8 / 7) * student.ppf(0.975, 7) / norm.ppf(0.975))
    assert resampled_units(prompts(8, 4)) == (8, 1)
    assert resampled_units(prompts(2, 20)) == (40, 2)
    # Within each of 2 prompts of 20: the variance is 19/20 of the unbiased one, with 38 degrees of freedom.
    assert small_sample_stretch(40, 2) == pytest.approx(math.sqrt(20 / 19) * student.ppf(0.975, 38) / norm.ppf(0.975))
    assert small_sample_stretch(100_000) == pytest.approx(1, abs=1e-4)
    assert small_sample_stretch(1) == small_sample_stretch(2, 2) == 1


@pytest.mark.parametrize("count", [5, 10])
def test_interval_of_rare_anomalies_covers_with_few_prompts(count: int) -> None:
    """Paired rates of 3% and 4.4% that differ between prompts, 64 seeds each: the plain bootstrap covers 82% and 89%.

    With 400 runs the standard error of a share of .95 is .011. The outer of two intervals covers more than either.
    """
    rng = np.random.default_rng(0)
    hits, runs, seeds = 0, 400, 64
    for run in range(runs):
        change = rng.uniform(-0.01, 0.038, (count, 1))
        noise = rng.random((count, seeds))
        other = np.where(rng.random((count, seeds)) < 0.5, noise, rng.random((count, seeds)))
        base, tuned = (noise < 0.03).astype(int), (other < 0.03 + change).astype(int)
        effect = paired_effect(
            base.ravel(), tuned.ravel(), prompts(count, seeds), better="lower", seed=run, resamples=400
        )
        assert effect.ci_low is not None and effect.ci_high is not None
        hits += effect.ci_low <= 0.014 <= effect.ci_high
    assert 0.915 < hits / runs < 0.995


def test_a_stretched_interval_stays_within_the_values() -> None:
    base = [1] * 7 + [0, 1, 1]
    effect = paired_effect(base, [0] * 10, prompts(5, 2), better="lower", seed=0)
    assert effect.ci_low == -1
    mirrored = paired_effect([0] * 10, base, prompts(5, 2), better="lower", seed=0)
    assert mirrored.ci_high == 1


def test_what_no_pair_shows_is_not_excluded() -> None:
    """One of six pairs got better and none worse: the resamples end at 0, and a rise of 5 points is still possible."""
    base, tuned = [1, 0, 0, 0, 0, 0], [0] * 6
    effect = paired_effect(base, tuned, ["a"] * 6, better="lower", seed=0)
    # Newcombe by hand: z^2 = 3.8415, Wilson 0 of 6: 0 to .3903; 1 of 6: .0301 to .5635; phi = 0.
    assert effect.ci_high == pytest.approx(-1 / 6 + math.hypot(0.3903, 1 / 6 - 0.0301), abs=1e-3)
    assert "or Newcombe's paired score interval where that reaches farther" in effect.method
    mirrored = paired_effect(tuned, base, ["a"] * 6, better="lower", seed=0)
    assert mirrored.ci_low == pytest.approx(-effect.ci_high, abs=1e-12)


def test_a_rise_that_few_pairs_do_not_show_is_seldom_excluded() -> None:
    """Of 12 pairs each gets worse with a chance of 15% and better with one of 7%: in 14% of runs no pair gets worse.

    So often a bootstrap ends at 0 or below, short of the true rise of 8 points; 2.5% is asked.
    """
    rng = np.random.default_rng(0)
    missed, runs = 0, 400
    for run in range(runs):
        chance = rng.random(12)
        base, tuned = (chance < 0.07).astype(int), (chance > 0.85).astype(int)
        effect = paired_effect(base, tuned, ["a"] * 12, better="lower", seed=run, resamples=200)
        assert effect.ci_high is not None
        missed += effect.ci_high < 0.08
    assert missed / runs < 0.05


def test_sign_flip_p_is_uniform_under_the_null() -> None:
    rng = np.random.default_rng(0)
    p = np.array([sign_flip_test(rng.normal(size=9), seed=run)[0] for run in range(600)])
    # 600 runs: the standard error of a share of .05 is .009.
    assert 0.02 < (p <= 0.05).mean() < 0.08
    assert abs(p.mean() - 0.5) < 0.05
