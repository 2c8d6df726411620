"""Attempts to get `corrected` from metrics that do not prove it, and what the verdict advises instead."""

from __future__ import annotations

import copy
import itertools
import math
import random
from typing import Any

import numpy as np
import pytest

from anomend.statistics.one_sided import lowest_limit, rate_tails
from anomend.statistics.paired_rise import PairCounts, rise_tails
from anomend.verdict.advice import Advice, seeds_to_show
from anomend.verdict.decision import reach_verdict
from tests.verdict.made import THRESHOLDS, change, compare, measured

NOT_NUMBERS: list[Any] = [None, math.nan, math.inf, -math.inf, "0.1", "", [], {}, True, False]


def needed(metrics: dict[str, Any], tuned: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    """Every metric that a clause needs."""
    rates = [metrics[f"anomaly_rate_{group}"] for group in ("target", "held_out")]
    found = [(rate, key) for rate in rates for key in ("base", "tuned", "prompts", "kinds")]
    found += [(rate["prompts"][0], key) for rate in rates for key in ("both", "only_base", "only_tuned", "neither")]
    found += [(metrics["diversity_right"], key) for key in ("base", "tuned", "ratio", "log_error", "freedom")]
    return [*found, (tuned, "copy_rate")]


def test_missing_or_impossible_metrics_are_never_corrected() -> None:
    rng = random.Random(0)
    for _ in range(1000):
        metrics, tuned = copy.deepcopy(compare()), measured()
        places = needed(metrics, tuned)
        for source, key in rng.sample(places, rng.randint(1, 5)):
            if rng.random() < 0.3:
                del source[key]
            else:
                source[key] = rng.choice([each for each in NOT_NUMBERS if not (key == "kinds" and each == [])])
        assert reach_verdict(metrics, tuned, THRESHOLDS).outcome == "inconclusive"


CONTRADICTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "a rate that its counts are not": ("anomaly_rate_target", {"tuned": 0.01}),
    "a held-out rate that its counts are not": ("anomaly_rate_held_out", {"base": 0.2}),
    "a rate above 1": ("anomaly_rate_target", {"base": 1.4}),
    "a rate below 0": ("anomaly_rate_target", {"tuned": -0.1}),
    "more of a kind than there are anomalies": (
        "anomaly_rate_target",
        {"kinds": [{"name": "extra_arm", "both": 0, "only_base": 0, "only_tuned": 100, "neither": 156}]},
    ),
    "a kind of other images": (
        "anomaly_rate_target",
        {"kinds": [{"name": "extra_arm", "both": 0, "only_base": 0, "only_tuned": 0, "neither": 6}]},
    ),
    "a negative count": (
        "anomaly_rate_target",
        {"prompts": [{"name": "grass", "both": 0, "only_base": -1, "only_tuned": 0, "neither": 6}]},
    ),
    "no prompts": ("anomaly_rate_target", {"prompts": []}),
    "diversities below 0": ("diversity_right", {"base": -0.5, "tuned": -0.45, "ratio": 0.9}),
    "a base without diversity": ("diversity_right", {"base": 0.0, "tuned": 0.4}),
    "a ratio that is not": ("diversity_right", {"ratio": 2.0}),
    "a ratio without an error": ("diversity_right", {"log_error": 0.0}),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_contradictory_metrics_settle_nothing(case: str) -> None:
    metrics = compare()
    name, changes = CONTRADICTIONS[case]
    metrics[name] = metrics[name] | changes
    verdict = reach_verdict(metrics, measured(), THRESHOLDS)
    assert verdict.outcome == "inconclusive"
    assert all("not available" in reason for reason in verdict.reasons)


def test_a_rate_of_another_run_settles_nothing() -> None:
    verdict = reach_verdict(compare(), measured() | {"anomaly_rate_target": 0.5}, THRESHOLDS)
    assert verdict.outcome == "inconclusive" and "one file is stale" in verdict.reasons[0]


@pytest.mark.parametrize("rate", [-0.01, 1.01, 0.001])
def test_an_impossible_copy_rate_settles_nothing(rate: float) -> None:
    verdict = reach_verdict(compare(), measured() | {"copy_rate": rate}, THRESHOLDS)
    assert verdict.outcome == "inconclusive" and f"{rate} is not a share" in verdict.reasons[0]


def test_few_images_are_never_enough() -> None:
    """A perfect correction without any harm, on one image to forty: so few images cannot show that."""
    for n in (1, 2, 5, 6, 12, 40):
        found = compare(
            anomaly_rate_target=change({"grass": (0, n, 0, 0)}), anomaly_rate_held_out=change({"beach": (0, 0, 0, n)})
        )
        perfect = reach_verdict(found, measured(0, n), THRESHOLDS)
        assert perfect.outcome == "inconclusive" and perfect.clauses["held_out"].passed is None
        assert perfect.clauses["target_drop"].passed in (True, None)


def small_tables(n: int) -> list[PairCounts]:
    counts = itertools.product(range(n + 1), repeat=3)
    return [PairCounts(both, down, up, n - both - down - up) for both, down, up in counts if both + down + up <= n]


@pytest.mark.parametrize("n", [3, 8, 14])
@pytest.mark.parametrize("limit", [-0.3, 0.05, 0.15])
def test_no_clause_passes_because_an_anomaly_was_added(n: int, limit: float) -> None:
    """One more anomalous tuned image never makes the rise look smaller, over all tables of n pairs.

    Above one half, where nothing passes, p may fall a little.
    """

    def not_smaller(more: PairCounts, pairs: PairCounts) -> bool:
        new, old = rise_tails(more, limit), rise_tails(pairs, limit)
        return min(new.beyond, 0.5) >= min(old.beyond, 0.5) and min(new.within, 0.5) <= min(old.within, 0.5)

    for pairs in small_tables(n):
        if pairs.neither:
            assert not_smaller(PairCounts(pairs.both, pairs.only_base, pairs.only_tuned + 1, pairs.neither - 1), pairs)
        if pairs.only_base:
            assert not_smaller(PairCounts(pairs.both + 1, pairs.only_base - 1, pairs.only_tuned, pairs.neither), pairs)
    for k in range(n):
        assert rate_tails(k + 1, n, 0.15).beyond >= rate_tails(k, n, 0.15).beyond


def test_advised_seeds_have_about_the_power_they_say() -> None:
    """For a rate of 7% where 15% are allowed: as many seeds as advised show it in about 80% of repetitions."""
    rng = np.random.default_rng(0)
    now, truth, limit = 40, 0.07, 0.15
    k = round(truth * now)
    bound = lowest_limit(lambda most: rate_tails(k, now, most).beyond, 0.05, low=0.0, high=1.0)
    advice = seeds_to_show(k / now, bound=bound, threshold=limit, error=0.05, seeds_per_prompt=now)
    assert advice.seeds_per_prompt is not None and now < advice.seeds_per_prompt < 400
    seeds = advice.seeds_per_prompt
    shown = [rate_tails(k, seeds, limit).beyond <= 0.05 for k in rng.binomial(seeds, truth, size=2000)]
    assert 0.7 < np.mean(shown) < 0.97


def test_advice_where_more_seeds_promise_nothing_gets_no_number() -> None:
    def advice(figure: float, bound: float) -> Advice:
        return seeds_to_show(figure, bound=bound, threshold=0.15, error=0.05, seeds_per_prompt=64)

    assert advice(0.16, 0.3).seeds_per_prompt is None
    assert "More than 10,000" in advice(0.149, 0.2).sentence
    assert advice(0.1, 0.2).as_metrics()["power"] == 0.8


def test_advice_near_a_limit_is_that_of_the_normal_distribution() -> None:
    """11 of 80 where 15% are allowed. By hand: ((z.95 + z.8) / (.15 - .1375))^2 x .1375 x .8625 pairs, 2 prompts."""
    by_hand = ((1.6449 + 0.8416) / 0.0125) ** 2 * 0.1375 * 0.8625 / 2
    bound = lowest_limit(lambda most: rate_tails(11, 80, most).beyond, 0.05, low=0.0, high=1.0)
    advice = seeds_to_show(11 / 80, bound=bound, threshold=0.15, error=0.05, seeds_per_prompt=40)
    assert advice.seeds_per_prompt is not None and by_hand < advice.seeds_per_prompt < 1.6 * by_hand


@pytest.mark.parametrize(("threshold", "bound"), [(-0.3, -0.25), (0.7, 0.6)])
def test_advice_where_the_truth_must_be_below_or_above(threshold: float, bound: float) -> None:
    figure = threshold - 0.02 if threshold < 0 else threshold + 0.02
    advice = seeds_to_show(figure, bound=bound, threshold=threshold, error=0.05, seeds_per_prompt=40)
    assert advice.seeds_per_prompt is not None and advice.seeds_per_prompt > 40
