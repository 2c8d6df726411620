"""The verdict over the ways in which a correction can turn out."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from typing import Any

import pytest

from anomend.project.model_words import A_AND_B
from anomend.statistics.paired_rise import PairCounts, rise_tails
from anomend.verdict.decision import Thresholds, reach_verdict
from tests.verdict.made import THRESHOLDS, Counts, change, compare, measured, ratio

CAUTION = {"caution": "the detector only counts people"}


def target(**prompts: Counts) -> dict[str, Any]:
    return {"anomaly_rate_target": change(prompts)}


def held_out(**prompts: Counts) -> dict[str, Any]:
    return {"anomaly_rate_held_out": change(prompts)}


def eight(counts: Counts) -> dict[str, Counts]:
    return {f"p{index}": counts for index in range(8)}


GOOD = compare()
CASES: dict[str, tuple[dict[str, Any], Any, str, dict[str, bool | None]]] = {
    "all well": ({}, measured(), "corrected", {}),
    "memorising": ({}, measured(150), "not_corrected", {"memorisation": False}),
    "copies about the limit": ({}, measured(25), "inconclusive", {"memorisation": None}),
    "one picture again and again": (
        {"diversity_right": ratio(0.2)},
        measured(),
        "not_corrected",
        {"diversity": False},
    ),
    "diversity just above its limit": (
        {"diversity_right": ratio(0.73)},
        measured(),
        "inconclusive",
        {"diversity": None},
    ),
    "breaking other prompts": (
        held_out(**eight((1, 0, 28, 35))),
        measured(),
        "not_corrected",
        {"held_out": False, "worst_held_out_prompt": False},
    ),
    "ruining one held-out prompt of eight": (
        held_out(**eight((1, 1, 0, 62)) | {"p7": (0, 0, 30, 34)}),
        measured(),
        "not_corrected",
        {"held_out": None, "worst_held_out_prompt": False},
    ),
    "no change": (
        target(grass=(100, 2, 2, 24), street=(99, 1, 3, 25)),
        measured(),
        "not_corrected",
        {"target_drop": False, "target_rate": False, "worst_target_prompt": False},
    ),
    "a clear fall that is too small": (
        target(grass=(5, 20, 2, 101), street=(5, 20, 2, 101)),
        measured(),
        "not_corrected",
        {"target_drop": False},
    ),
    "a large fall that leaves too much": (
        target(grass=(35, 80, 0, 13), street=(33, 80, 0, 15)),
        measured(),
        "not_corrected",
        {"target_rate": False, "worst_target_prompt": None},
    ),
    "a rate at the limit": (
        target(grass=(19, 80, 0, 29), street=(19, 80, 0, 29)),
        measured(),
        "inconclusive",
        {"target_rate": None},
    ),
    "one target prompt of ten left as it was": (
        target(**{f"p{index}": (0, 100, 0, 28) for index in range(9)}, p9=(60, 0, 0, 68)),
        measured(0, 1280),
        "not_corrected",
        {"worst_target_prompt": False},
    ),
    "one anomaly traded for another": (
        {
            "anomaly_rate_target": change(
                {"grass": (0, 200, 30, 26)}, {"extra_leg": (0, 200, 0, 56), "gone": (0, 0, 30, 226)}
            )
        },
        measured(),
        "inconclusive",
        {"target_rate": None, "new_kinds": None},
    ),
    "too few seeds": (
        target(grass=(0, 3, 0, 0)) | held_out(beach=(0, 0, 0, 3)),
        measured(0, 3),
        "inconclusive",
        dict.fromkeys(
            (
                "target_drop",
                "target_rate",
                "worst_target_prompt",
                "new_kinds",
                "held_out",
                "worst_held_out_prompt",
                "memorisation",
            )
        ),
    ),
    "diversity not measured": (
        {"diversity_right": {"base": None, "tuned": None, "reason": "one image"}},
        measured(),
        "inconclusive",
        {"diversity": None},
    ),
    "copies not measured": ({}, {"copy_rate": None}, "inconclusive", {"memorisation": None}),
    "anomalies that are not proof": (
        {name: GOOD[name] | CAUTION for name in ("anomaly_rate_target", "anomaly_rate_held_out")},
        measured(),
        "inconclusive",
        dict.fromkeys(
            ("target_drop", "target_rate", "worst_target_prompt", "new_kinds", "held_out", "worst_held_out_prompt")
        ),
    ),
    "a failure outweighs what is unsettled": (
        {"diversity_right": {}},
        measured(150),
        "not_corrected",
        {"diversity": None, "memorisation": False},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_verdict(case: str) -> None:
    changes, tuned, expected, not_passed = CASES[case]
    verdict = reach_verdict(compare(**changes), tuned, THRESHOLDS)
    outcomes = {name: clause.passed for name, clause in verdict.clauses.items()}
    assert {name: passed for name, passed in outcomes.items() if passed is not True} == not_passed
    assert verdict.outcome == expected


def test_no_kind_may_rise_by_eight_points() -> None:
    traded = change({"grass": (0, 200, 30, 26)}, {"extra_leg": (0, 200, 0, 56), "missing_leg": (0, 0, 40, 216)})
    lenient = replace(THRESHOLDS, max_target_rate=0.4)
    clause = reach_verdict(compare(anomaly_rate_target=traded), measured(), lenient).clauses["new_kinds"]
    # More images show that kind than are anomalous: the counts contradict each other.
    assert clause.passed is None and "contradict" in clause.sentence
    traded = change({"grass": (0, 200, 45, 11)}, {"extra_leg": (0, 200, 0, 56), "missing_leg": (0, 0, 45, 211)})
    clause = reach_verdict(compare(anomaly_rate_target=traded), measured(), lenient).clauses["new_kinds"]
    assert clause.passed is False and "'missing leg'" in clause.sentence and "+17.6 points" in clause.sentence


def test_the_sentences_say_the_bound_and_its_confidence() -> None:
    clauses = reach_verdict(compare(), measured(), THRESHOLDS).clauses
    # Clopper-Pearson's upper end: 19 of 256, by statsmodels.
    from statsmodels.stats.proportion import proportion_confint

    high = proportion_confint(19, 256, alpha=0.1, method="beta")[1]
    shown = math.ceil(1000 * high) / 10  # Rounded away from the data.
    rate = f"The tuned model's target anomaly rate is 7.4% (at most {shown}% with 95% confidence):"
    assert clauses["target_rate"].sentence == f"{rate} at most 15.0% was asked for, and is shown."
    assert clauses["target_rate"].bound == pytest.approx(high, abs=1e-9)
    assert "with 97.5% confidence" in clauses["held_out"].sentence
    assert "at least 0.700 times was asked for, and is shown." in clauses["diversity"].sentence
    failed = reach_verdict(compare(), measured(150), THRESHOLDS).clauses["memorisation"]
    # Any of the eight clauses may fail, so the one with the smallest p is bounded at an eighth of the error.
    low = proportion_confint(150, 256, alpha=2 * 0.05 / 8, method="beta")[0]
    shown = math.floor(1000 * low) / 10
    assert f"58.6% (at least {shown}% with 99.37% confidence)" in failed.sentence and "is not met" in failed.sentence
    assert (failed.bound, failed.confidence) == pytest.approx((low, 1 - 0.05 / 8), abs=1e-9)


def test_the_bound_of_the_worst_prompt_takes_the_choice_among_prompts_into_account() -> None:
    """Just failed, so the bound by which it fails is just beyond the limit; without the choice it would be far."""
    held_out = {f"held-out {number}": (1, 0, 1, 78) for number in range(5)} | {"worst": (2, 0, 24, 54)}
    found = compare(anomaly_rate_held_out=change(held_out))
    clause = reach_verdict(found, measured(), replace(THRESHOLDS, held_out_margin=0.3)).clauses["worst_held_out_prompt"]
    assert clause.passed is False and clause.p_fail is not None and 0.03 < clause.p_fail < 0.05
    # Six prompts, and by Holm eight clauses.
    assert clause.confidence == pytest.approx(1 - 0.05 / 48)
    tails = rise_tails(PairCounts(2, 0, 24, 54), clause.bound)
    assert clause.bound > 0.15 and tails.within == pytest.approx(0.05 / 48, rel=1e-3) and clause.bound < 0.16


def test_nothing_to_correct_is_not_a_correction() -> None:
    nothing = reach_verdict(compare(**target(grass=(0, 2, 0, 254))), measured(), THRESHOLDS)
    assert nothing.outcome == "not_corrected"
    assert "The base model's 0.8% leave no room for that." in nothing.reasons[0]


def test_reasons_are_of_the_clauses_that_decided() -> None:
    failed = reach_verdict(compare(diversity_right={}), measured(150), THRESHOLDS)
    assert len(failed.reasons) == 1 and "copy a training image" in failed.reasons[0]
    unsettled = reach_verdict(compare(diversity_right={}), measured(), THRESHOLDS)
    assert len(unsettled.reasons) == 1 and "diversity" in unsettled.reasons[0]
    assert len(reach_verdict(compare(), measured(), THRESHOLDS).reasons) == 8


def test_the_scope_says_what_was_not_looked_at() -> None:
    scope = " ".join(reach_verdict(compare(), measured(), THRESHOLDS).scope)
    # 1 - .05^(1/8) = .312.
    assert "2 target and 8 held-out prompts" in scope and "up to 31% of the prompts" in scope


def test_a_missing_metric_gives_its_reason_and_a_warning_follows() -> None:
    verdict = reach_verdict(compare(), {"copy_rate": None, "reason": "no instance images"}, THRESHOLDS)
    assert "no instance images" in verdict.clauses["memorisation"].sentence
    verdict = reach_verdict(compare(), measured() | {"copy_rate_warning": "copies go unnoticed"}, THRESHOLDS)
    assert "Warning: copies go unnoticed." in verdict.clauses["memorisation"].sentence


def test_an_older_comparison_without_counts_asks_for_a_new_one() -> None:
    old = {"base": 0.8, "tuned": 0.1, "delta": -0.7, "ci_low": -0.8, "ci_high": -0.6}
    clause = reach_verdict(compare(anomaly_rate_target=old), measured(), THRESHOLDS).clauses["target_drop"]
    assert clause.passed is None and "run stage `compare` again" in clause.sentence


def test_no_metrics_at_all() -> None:
    verdict = reach_verdict({}, {}, THRESHOLDS)
    assert verdict.outcome == "inconclusive"
    assert all(clause.passed is None and clause.figure is None for clause in verdict.clauses.values())


def test_metrics_are_json_without_sentences_in_columns() -> None:
    metrics = reach_verdict(compare(), measured(), THRESHOLDS).as_metrics()
    assert json.loads(json.dumps(metrics)) == metrics
    assert metrics["verdict"] == "corrected" and metrics["copy_rate"] == 1 / 256
    assert metrics["diversity_ratio"] == 0.75 and metrics["right_diversity_ratio"] == 0.9
    for clause in metrics["clauses"].values():
        assert not any(isinstance(value, str) for value in clause.values())
        assert clause["p_pass"] <= 0.05 < clause["p_fail"]


@pytest.mark.parametrize(
    ("name", "value"), [("held_out_margin", -0.1), ("max_copy_rate", float("nan")), ("level", 1.0)]
)
def test_impossible_thresholds_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        replace(THRESHOLDS, **{name: value})


@pytest.mark.parametrize("exploratory", [True, False])
def test_a_quick_run_says_that_it_proves_nothing(exploratory: bool) -> None:
    metrics = reach_verdict(compare(), measured(), THRESHOLDS, exploratory=exploratory).as_metrics()
    assert metrics["exploratory"] is exploratory
    assert ("proves nothing" in metrics["reasons"][0]) is exploratory


def test_a_tuned_model_that_is_not_just_a_lora_is_named_before_all_else() -> None:
    words = "The tuned model is the base without a LoRA."
    reasons = reach_verdict(compare(), measured(), THRESHOLDS, tuned_model=words).as_metrics()["reasons"]
    plain = reach_verdict(compare(), measured(), THRESHOLDS).as_metrics()["reasons"]
    assert reasons == [words, *plain]


def test_a_stricter_level_asks_for_more() -> None:
    close = compare(diversity_right=ratio(0.79))
    assert reach_verdict(close, measured(), THRESHOLDS).clauses["diversity"].passed is True
    strict = Thresholds(**{**vars(THRESHOLDS), "level": 0.999})
    assert reach_verdict(close, measured(), strict).clauses["diversity"].passed is None


@pytest.mark.parametrize("case", CASES)
def test_two_loras_are_called_model_a_and_model_b_in_every_sentence(case: str) -> None:
    changes, of_tuned, *_ = CASES[case]
    thresholds, survey = replace(THRESHOLDS, min_preference=0.5), {"win_rate_tuned": 0.7, "ci_low": 0.6, "ci_high": 0.8}
    compared = {**GOOD, **changes}
    named = reach_verdict(compared, of_tuned, thresholds, words=A_AND_B, survey=survey | {"votes": 90, "n": 9})
    usual = reach_verdict(compared, of_tuned, thresholds, survey=survey | {"votes": 90, "n": 9})
    assert named.outcome == usual.outcome
    for name, clause in named.clauses.items():
        # The reference of the diversity is worded where it is computed.
        said = clause.sentence.replace("the base's right images", "")
        assert not {"base", "tuned"} & set(re.findall(r"[a-z]+", said)), (name, said)
        assert clause.figure == usual.clauses[name].figure and clause.passed == usual.clauses[name].passed
    assert "odel B" in " ".join(clause.sentence for clause in named.clauses.values())
