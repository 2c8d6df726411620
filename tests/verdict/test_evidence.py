"""Attempts to get `corrected` from metrics that do not prove it, and what the verdict advises instead."""

from __future__ import annotations

import copy
import math
import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from anomend.statistics import compare_within_set, paired_effect
from anomend.verdict.advice import images_for_a_ratio
from anomend.verdict.decision import Thresholds, Verdict, reach_verdict
from anomend.verdict.evidence import Ratio

THRESHOLDS = Thresholds(
    min_target_drop=0.3, max_target_rate=0.15, held_out_margin=0.05, min_diversity_ratio=0.7, max_copy_rate=0.1
)
NOT_NUMBERS: list[Any] = [None, math.nan, math.inf, -math.inf, "0.1", "", [], {}, True, False]
Compare = dict[str, dict[str, Any]]


def good(rng: random.Random) -> tuple[Compare, dict[str, Any]]:
    """A comparison in which every clause passes."""
    base, tuned = rng.uniform(0.6, 1), rng.uniform(0, 0.14)
    delta, half = tuned - base, rng.uniform(0.01, 0.2)
    held_base, rise = rng.uniform(0.01, 0.1), rng.uniform(-0.01, 0.03)
    ratio, diversity = rng.uniform(0.7, 1.2), rng.uniform(0.01, 2)
    compare: Compare = {
        "anomaly_rate_target": {
            "base": base,
            "tuned": tuned,
            "delta": delta,
            "ci_low": delta - half,
            "ci_high": delta + half,
            "n": 256,
            "clusters": 2,
        },
        "anomaly_rate_held_out": {
            "base": held_base,
            "tuned": held_base + rise,
            "delta": rise,
            "ci_low": rise - 0.015,
            "ci_high": rise + 0.015,
            "n": 512,
            "clusters": 8,
        },
        "diversity": {"base": diversity, "tuned": ratio * diversity, "n": 48, "clusters": 2},
    }
    compare["diversity"] |= {"ratio": ratio, "ratio_ci_low": ratio - 0.1, "ratio_ci_high": ratio + 0.1}
    return compare, {"copy_rate": rng.uniform(0, 0.1), "anomaly_rate_target": tuned}


def needed(compare: Compare, tuned: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    """Every metric that a clause needs."""
    found = [
        (compare[f"anomaly_rate_{group}"], key)
        for group in ("target", "held_out")
        for key in ("delta", "ci_low", "ci_high")
    ]
    found += [
        (compare["anomaly_rate_target"], "tuned"),
        (compare["diversity"], "base"),
        (compare["diversity"], "tuned"),
    ]
    return [*found, (tuned, "copy_rate")]


def test_missing_or_impossible_metrics_are_never_corrected() -> None:
    rng = random.Random(0)
    for _ in range(2000):
        compare, tuned = good(rng)
        assert reach_verdict(compare, tuned, THRESHOLDS).outcome == "corrected"
        places = needed(compare, tuned)
        for source, key in rng.sample(places, rng.randint(1, len(places))):
            if rng.random() < 0.3:
                del source[key]
            else:
                source[key] = rng.choice(NOT_NUMBERS)
        for name in list(compare):
            if rng.random() < 0.05:
                compare[name] = rng.choice(NOT_NUMBERS)
        assert reach_verdict(compare, tuned, THRESHOLDS).outcome == "inconclusive"


CONTRADICTIONS = {
    "a change that is not the difference": ("anomaly_rate_target", {"delta": -0.9, "ci_low": -0.95, "ci_high": -0.8}),
    "a held-out change that is not": ("anomaly_rate_held_out", {"tuned": 0.9}),
    "an interval the wrong way round": ("anomaly_rate_held_out", {"ci_low": 0.04, "ci_high": -0.04}),
    "an interval elsewhere": ("anomaly_rate_target", {"ci_low": -0.3, "ci_high": -0.1}),
    "a rate above 1": ("anomaly_rate_target", {"base": 1.4, "delta": -1.3, "ci_low": -1.4, "ci_high": -1.2}),
    "a rate below 0": ("anomaly_rate_target", {"tuned": -0.1}),
    "a rate of another run": ("anomaly_rate_target", {"tuned": 0.12, "delta": -0.68}),
    "diversities below 0": ("diversity", {"base": -0.5, "tuned": -0.45, "ratio": 0.9}),
    "a base without diversity": ("diversity", {"base": 0.0, "tuned": 0.4}),
    "a base with next to none": ("diversity", {"base": 5e-324, "tuned": 1.0}),
    "a ratio that is not": ("diversity", {"ratio": 2.0}),
    "a ratio outside its interval": ("diversity", {"ratio_ci_low": 1.5, "ratio_ci_high": 1.9}),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_contradictory_metrics_settle_nothing(case: str) -> None:
    compare, tuned = steady()
    name, changes = CONTRADICTIONS[case]
    compare[name] |= changes
    verdict = reach_verdict(compare, tuned, THRESHOLDS)
    assert verdict.outcome == "inconclusive"
    assert all("not available" in reason for reason in verdict.reasons)


@pytest.mark.parametrize("rate", [-0.01, 1.01])
def test_an_impossible_copy_rate_settles_nothing(rate: float) -> None:
    compare, tuned = steady()
    verdict = reach_verdict(compare, tuned | {"copy_rate": rate}, THRESHOLDS)
    assert verdict.outcome == "inconclusive" and f"{rate} is not a share" in verdict.reasons[0]


def test_corrected_implies_every_clause_on_any_metrics() -> None:
    """The definition as plain comparisons, for metrics of all sizes."""
    rng = random.Random(1)
    seen = set()
    for _ in range(4000):
        compare, tuned = good(rng)
        for source, key in needed(compare, tuned):
            if rng.random() < 0.08:
                source[key] = rng.choice([rng.uniform(-1, 1), rng.uniform(0, 0.2), *NOT_NUMBERS])
        verdict = reach_verdict(copy.deepcopy(compare), dict(tuned), THRESHOLDS)
        seen.add(verdict.outcome)
        if verdict.outcome == "corrected":
            target, held_out, diversity = compare.values()
            assert target["delta"] <= -0.3 + 1e-9 and target["ci_high"] < 0 and 0 <= target["tuned"] <= 0.15 + 1e-9
            assert target["tuned"] - target["base"] == pytest.approx(target["delta"], abs=1e-6)
            assert held_out["ci_low"] <= held_out["delta"] <= held_out["ci_high"] < 0.05
            assert diversity["tuned"] >= 0.7 * diversity["base"] - 1e-9 and diversity["base"] > 0
            assert 0 <= tuned["copy_rate"] <= 0.1
    assert seen == {"corrected", "not_corrected", "inconclusive"}


def steady() -> tuple[Compare, dict[str, Any]]:
    """Good metrics that are always the same."""
    compare, tuned = good(random.Random(0))
    target = {"base": 0.8, "tuned": 0.1, "delta": -0.7, "ci_low": -0.8, "ci_high": -0.6}
    compare["anomaly_rate_target"] |= target
    return compare, tuned | {"anomaly_rate_target": 0.1}


def judged(
    target: tuple[np.ndarray, np.ndarray], held_out: tuple[np.ndarray, np.ndarray], prompts: int, held_out_prompts: int
) -> Verdict:
    """The verdict on anomalies of shape (n,), by the comparison that the pipeline makes."""
    compare, tuned = steady()
    for name, (base, after), count in (
        ("anomaly_rate_target", target, prompts),
        ("anomaly_rate_held_out", held_out, held_out_prompts),
    ):
        names = [f"prompt {index % count}" for index in range(len(base))]
        compare[name] = paired_effect(base, after, names, better="lower", seed=0, resamples=1000).as_dict()
    return reach_verdict(compare, {"copy_rate": tuned["copy_rate"]}, THRESHOLDS)


def ones(count: int, n: int) -> np.ndarray:
    return (np.arange(n) < count).astype(int)


def test_few_images_are_never_enough() -> None:
    """A perfect correction without any harm, on one image to sixty: so few images cannot show that."""
    for n in (1, 2, 5, 6, 12, 60):
        perfect = judged((ones(n, n), ones(0, n)), (ones(0, n), ones(0, n)), 1, 1)
        assert perfect.outcome == "inconclusive"
        assert perfect.clauses["held_out"].passed is None
    few = judged((ones(3, 3), ones(0, 3)), (ones(0, 3), ones(0, 3)), 3, 3)
    assert "An interval takes 6 pairs of images: 2 seeds per prompt or more." in few.clauses["target_drop"].sentence
    assert few.as_metrics()["clauses"]["target_drop"].get("advice") is None


@pytest.mark.parametrize("n", [6, 12, 40])
def test_one_held_out_image_that_got_better_is_no_proof_that_none_gets_worse(n: int) -> None:
    found = judged((ones(n, n), ones(0, n)), (ones(1, n), ones(0, n)), 1, 1)
    assert found.clauses["held_out"].passed is None and found.outcome == "inconclusive"


def test_nothing_to_correct_is_not_a_correction() -> None:
    nothing = judged((ones(0, 256), ones(0, 256)), (ones(0, 512), ones(0, 512)), 2, 8)
    assert nothing.outcome == "not_corrected"
    assert "which the base model's 0.0% leave no room for" in nothing.reasons[0]


def test_no_anomaly_on_held_out_prompts_counts_once_there_are_enough_images() -> None:
    """Without any anomaly Wilson's upper end is z^2 / (n + z^2) < .05, from 73 pairs on."""
    target = (ones(200, 256), ones(10, 256))
    assert judged(target, (ones(0, 80), ones(0, 80)), 2, 8).clauses["held_out"].passed is True
    short = judged(target, (ones(0, 64), ones(0, 64)), 2, 8)
    assert short.outcome == "inconclusive"
    assert short.clauses["held_out"].advice is not None
    assert short.clauses["held_out"].advice.seeds_per_prompt == 10
    assert "More seeds are needed: about 10 per prompt (now 8), if no pair differs there either." in short.reasons[0]


def test_one_ruined_prompt_among_eight_is_not_overlooked() -> None:
    """Seven prompts as before, the eighth always wrong now: on average 12 points worse."""
    names = np.arange(512) % 8
    ruined = judged((ones(200, 256), ones(10, 256)), (ones(0, 512), (names == 7).astype(int)), 2, 8)
    assert ruined.outcome == "not_corrected"
    # A sixth of that is below the margin on average, and prompts like these may yet be worse by more.
    partly = (np.arange(512) % 48 == 7).astype(int)
    doubtful = judged((ones(200, 256), ones(10, 256)), (ones(0, 512), partly), 2, 8)
    assert doubtful.outcome == "inconclusive"
    advice = doubtful.clauses["held_out"].advice
    assert advice is not None and advice.seeds_per_prompt is None and advice.prompts is not None
    assert "differ too much for more seeds" in doubtful.reasons[0]


def test_seeds_are_advised_in_words_and_numbers() -> None:
    # Eight prompts of 16 seeds; of the first sixteen images, two a prompt, four got worse and two better.
    base, tuned = ones(2, 8 * 16), np.roll(ones(4, 8 * 16), 2)
    verdict = judged((ones(200, 256), ones(10, 256)), (base, tuned), 2, 8)
    assert verdict.outcome == "inconclusive"
    advice = verdict.as_metrics()["clauses"]["held_out"]["advice"]
    assert advice["power"] == 0.8 and 16 < advice["seeds_per_prompt"] < 1000
    expected = f"More seeds are needed: {advice['seeds_per_prompt']} per prompt (now 16) settle it if the true change"
    assert expected in verdict.reasons[0]


def test_a_change_at_the_margin_gets_no_number() -> None:
    compare, tuned = steady()
    compare["anomaly_rate_held_out"] |= {"base": 0.02, "tuned": 0.07, "delta": 0.05, "ci_low": 0.03, "ci_high": 0.07}
    compare["anomaly_rate_held_out"] |= {"sd_seeds": 0.3, "sd_prompts": 0.0}
    verdict = reach_verdict(compare, tuned, THRESHOLDS)
    assert verdict.outcome == "inconclusive" and "Neither more seeds nor more prompts" in verdict.reasons[0]


def test_a_ratio_whose_interval_includes_the_threshold_keeps_the_rule_and_says_so() -> None:
    compare, tuned = steady()
    compare["diversity"] |= {"base": 1.0, "tuned": 0.75, "ratio": 0.75, "ratio_ci_low": 0.65, "ratio_ci_high": 0.86}
    verdict = reach_verdict(compare, tuned, THRESHOLDS)
    assert verdict.outcome == "corrected"
    clause = verdict.clauses["diversity"]
    # 24 images per prompt now, 1.43 * .1 / .05 = 2.86 times as narrow: 24 * 2.86^2 = 196.3.
    assert (
        "(interval 0.650 to 0.860)" in clause.sentence
        and "197 images per prompt would tell (now 24;" in clause.sentence
    )
    assert verdict.as_metrics()["diversity_ratio_ci_low"] == 0.65
    compare["diversity"] |= {"tuned": 0.69, "ratio": 0.69}
    below = reach_verdict(compare, tuned, THRESHOLDS)
    assert below.outcome == "not_corrected" and "includes that threshold" in below.reasons[0]
    compare["diversity"] |= {"tuned": 0.9, "ratio": 0.9, "ratio_ci_low": 0.8, "ratio_ci_high": 1.1}
    assert "includes that threshold" not in reach_verdict(compare, tuned, THRESHOLDS).clauses["diversity"].sentence


def variance_ratio(rng: np.random.Generator, seeds: int) -> Ratio:
    """Diversities of scalars whose true ratio is .8, base and tuned correlated, two prompts."""
    matrices = {}
    for prompt in ("a", "b"):
        common = rng.normal(size=seeds)
        both = np.concatenate([common + rng.normal(size=seeds), math.sqrt(0.8) * (common + rng.normal(size=seeds))])
        matrices[prompt] = (both[:, None] - both[None, :]) ** 2
    effect = compare_within_set(matrices, better="higher", seed=0, resamples=200, permutations=1, ratio=True)
    return Ratio(value=effect.ratio, ci_low=effect.ratio_ci_low, ci_high=effect.ratio_ci_high, seeds_per_prompt=seeds)


def test_advised_images_for_a_ratio_have_about_the_power_they_say() -> None:
    """From the typical interval at 24 images; it is a rule of thumb, and an interval of a ratio is skewed."""
    rng = np.random.default_rng(0)
    lows = [
        0.8 * ratio.ci_low / ratio.value
        for ratio in (variance_ratio(rng, 24) for _ in range(40))
        if ratio.ci_low and ratio.value
    ]
    images = images_for_a_ratio(Ratio(value=0.8, ci_low=float(np.mean(lows)), ci_high=1.2, seeds_per_prompt=24), 0.5)
    assert images is not None and 24 < images < 200
    cleared = [(variance_ratio(rng, images).ci_low or 0) > 0.5 for _ in range(150)]
    # 150 runs: the standard error of a share of .8 is .033.
    assert 0.68 < np.mean(cleared) < 0.92
    assert images_for_a_ratio(Ratio(value=0.7, ci_low=0.6, ci_high=0.8, seeds_per_prompt=24), 0.7) is None
    assert images_for_a_ratio(Ratio(value=0.7), 0.6) is None


def test_advised_images_for_a_ratio_heed_the_intervals_level() -> None:
    # At 90%: (1.6449 + .8416) / 1.6449 = 1.5117, 24 (1.5117 * .1 / .05)^2 = 219.4.
    assert images_for_a_ratio(Ratio(value=0.75, ci_low=0.65, ci_high=0.86, seeds_per_prompt=24), 0.7, 0.9) == 220


@pytest.mark.parametrize(("margin", "said"), [(0.0, "at the bound"), (1e-9, "above 10,000 per prompt")])
def test_a_margin_that_no_number_of_images_settles_gets_an_answer(margin: float, said: str) -> None:
    compare, tuned = steady()
    same = paired_effect(ones(0, 512), ones(0, 512), [f"{index % 8}" for index in range(512)], better="lower", seed=0)
    compare["anomaly_rate_held_out"] = same.as_dict()
    clause = reach_verdict(compare, tuned, replace(THRESHOLDS, held_out_margin=margin)).clauses["held_out"]
    assert clause.passed is None and said in clause.sentence and clause.as_metrics().get("advice") is None
