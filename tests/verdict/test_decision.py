"""The verdict over the ways in which a correction can turn out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from anomend.verdict.decision import Clause, Thresholds, reach_verdict

THRESHOLDS = Thresholds(
    min_target_drop=0.3, max_target_rate=0.25, held_out_margin=0.05, min_diversity_ratio=0.7, max_copy_rate=0.02
)


def measure(base: float, tuned: float, low: float, high: float) -> dict[str, Any]:
    return {"base": base, "tuned": tuned, "delta": tuned - base, "ci_low": low, "ci_high": high}


def null(reason: str) -> dict[str, Any]:
    return dict.fromkeys(("base", "tuned", "delta", "ci_low", "ci_high")) | {"reason": reason}


GOOD: dict[str, dict[str, Any]] = {
    "anomaly_rate_target": measure(0.8, 0.1, -0.8, -0.6),
    "anomaly_rate_held_out": measure(0.02, 0.03, -0.01, 0.03),
    "diversity": measure(0.5, 0.45, -0.1, 0.0),
}

CASES = {
    "all well": ({}, 0.0, "corrected", {}),
    "exactly at the threshold, except for rounding": (
        {"anomaly_rate_target": measure(0.55, 0.25, -0.6, -0.2) | {"delta": 0.4 - 0.7}},
        0.02,
        "corrected",
        {},
    ),
    "memorising": ({}, 0.6, "not_corrected", {"memorisation": False}),
    "one picture again and again": (
        {"diversity": measure(0.5, 0.1, -0.5, -0.3)},
        0.0,
        "not_corrected",
        {"diversity": False},
    ),
    "breaking other prompts": (
        {"anomaly_rate_held_out": measure(0.02, 0.4, 0.3, 0.5)},
        0.0,
        "not_corrected",
        {"held_out": False},
    ),
    "no change": (
        {"anomaly_rate_target": measure(0.8, 0.79, -0.05, 0.03)},
        0.0,
        "not_corrected",
        {"target_drop": False, "target_rate": False},
    ),
    "a clear fall that is too small": (
        {"anomaly_rate_target": measure(0.3, 0.2, -0.15, -0.05)},
        0.0,
        "not_corrected",
        {"target_drop": False},
    ),
    "a large fall that leaves too much": (
        {"anomaly_rate_target": measure(0.9, 0.5, -0.5, -0.3)},
        0.0,
        "not_corrected",
        {"target_rate": False},
    ),
    "too few seeds for the fall": (
        {"anomaly_rate_target": measure(0.6, 0.2, -0.9, 0.1)},
        0.0,
        "inconclusive",
        {"target_drop": None},
    ),
    "too few seeds for an interval": (
        {"anomaly_rate_target": measure(0.6, 0.2, 0, 0) | {"ci_low": None, "ci_high": None, "reason": "3 pairs"}},
        0.0,
        "inconclusive",
        {"target_drop": None},
    ),
    "too few seeds for the held-out prompts": (
        {"anomaly_rate_held_out": measure(0.02, 0.04, -0.03, 0.09)},
        0.0,
        "inconclusive",
        {"held_out": None},
    ),
    "upper bound at the margin": (
        {"anomaly_rate_held_out": measure(0.02, 0.04, -0.03, 0.05)},
        0.0,
        "inconclusive",
        {"held_out": None},
    ),
    "a rise just beyond the margin": (
        {"anomaly_rate_held_out": measure(0.02, 0.08, -0.01, 0.13)},
        0.0,
        "not_corrected",
        {"held_out": False},
    ),
    "diversity not measured": ({"diversity": null("one image")}, 0.0, "inconclusive", {"diversity": None}),
    "base without diversity": ({"diversity": measure(0, 0.1, 0, 0.2)}, 0.0, "inconclusive", {"diversity": None}),
    "copies not measured": ({}, None, "inconclusive", {"memorisation": None}),
    "anomalies that are not proof": (
        {
            "anomaly_rate_target": GOOD["anomaly_rate_target"] | {"caution": "the detector only counts people"},
            "anomaly_rate_held_out": GOOD["anomaly_rate_held_out"] | {"caution": "the detector only counts people"},
        },
        0.0,
        "inconclusive",
        {"target_drop": None, "target_rate": None, "held_out": None},
    ),
    "no proof, and a rise that would fail": (
        {"anomaly_rate_held_out": measure(0.02, 0.4, 0.3, 0.5) | {"caution": "the detector only counts people"}},
        0.0,
        "inconclusive",
        {"held_out": None},
    ),
    "a failure outweighs what is unsettled": (
        {"diversity": null("one image")},
        0.5,
        "not_corrected",
        {"diversity": None, "memorisation": False},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_verdict(case: str) -> None:
    changes, copy_rate, expected, not_passed = CASES[case]
    verdict = reach_verdict({**GOOD, **changes}, {"copy_rate": copy_rate}, THRESHOLDS)
    assert verdict.outcome == expected
    outcomes = {name: clause.passed for name, clause in verdict.clauses.items()}
    assert outcomes == dict.fromkeys(outcomes, True) | not_passed


def test_a_caution_is_repeated_with_the_rate_that_it_is_about() -> None:
    target = GOOD["anomaly_rate_target"] | {"caution": "the detector only counts people"}
    verdict = reach_verdict({**GOOD, "anomaly_rate_target": target}, {"copy_rate": 0.0}, THRESHOLDS)
    clause = verdict.clauses["target_drop"]
    assert clause.metric == pytest.approx(-0.7) and "-70.0 points" in clause.sentence
    assert all("settles nothing: the detector only counts people." in reason for reason in verdict.reasons)


def test_only_what_decided_is_a_reason() -> None:
    compare = {**GOOD, "diversity": null("one image")}
    failed = reach_verdict(compare, {"copy_rate": 0.5}, THRESHOLDS)
    assert failed.reasons == (failed.clauses["memorisation"].sentence,)
    unsettled = reach_verdict(compare, {"copy_rate": 0.0}, THRESHOLDS)
    assert unsettled.reasons == (unsettled.clauses["diversity"].sentence,)
    assert "one image" in unsettled.reasons[0]
    assert len(reach_verdict(GOOD, {"copy_rate": 0.0}, THRESHOLDS).reasons) == 5


def test_reason_of_a_missing_copy_rate_is_carried_through() -> None:
    verdict = reach_verdict(GOOD, {"copy_rate": None, "reason": "no instance images"}, THRESHOLDS)
    assert "no instance images" in verdict.clauses["memorisation"].sentence


def test_a_warning_on_the_copy_rate_is_reported() -> None:
    verdict = reach_verdict(GOOD, {"copy_rate": 0.0, "copy_rate_warning": "copies go unnoticed"}, THRESHOLDS)
    assert "Warning: copies go unnoticed." in verdict.clauses["memorisation"].sentence


def test_an_empty_comparison_settles_nothing() -> None:
    verdict = reach_verdict({}, {}, THRESHOLDS)
    assert verdict.outcome == "inconclusive"
    assert all(clause.passed is None and clause.metric is None for clause in verdict.clauses.values())
    assert all(value is None for value in verdict.metrics.values())


def test_metrics_keep_the_contract_and_are_json() -> None:
    metrics = reach_verdict(GOOD, {"copy_rate": 0.01}, THRESHOLDS).as_metrics()
    assert json.loads(json.dumps(metrics, allow_nan=False)) == metrics
    values = {key: metrics[key] for key in metrics if key not in ("verdict", "exploratory", "reasons", "clauses")}
    assert values == {
        "target_anomaly_rate_base": 0.8,
        "target_anomaly_rate_tuned": 0.1,
        "held_out_anomaly_rate_base": 0.02,
        "held_out_anomaly_rate_tuned": 0.03,
        "diversity_ratio": pytest.approx(0.9),
        "diversity_ratio_ci_low": None,
        "diversity_ratio_ci_high": None,
        "copy_rate": 0.01,
    }
    assert metrics["clauses"]["held_out"]["figure"] == 0.03
    # `dvc metrics diff` would show a sentence here in a column as wide as the sentence.
    assert all(set(clause) == {"passed", "figure", "threshold"} for clause in metrics["clauses"].values())


def test_a_clause_without_a_metric_has_its_reason_in_the_metric_file() -> None:
    clause = Clause(passed=None, metric=None, threshold=0.7, sentence="The diversity is not known: no samples.")
    assert clause.as_metrics() == {
        "passed": None,
        "figure": None,
        "threshold": 0.7,
        "reason": "The diversity is not known: no samples.",
    }


@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf")])
def test_a_threshold_that_is_no_threshold_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="held_out_margin"):
        Thresholds(
            min_target_drop=0.3,
            max_target_rate=0.25,
            held_out_margin=value,
            min_diversity_ratio=0.7,
            max_copy_rate=0.02,
        )


def test_a_quick_run_keeps_its_clauses_and_says_first_that_it_proves_nothing() -> None:
    full, quick = (
        reach_verdict(GOOD, {"copy_rate": 0.0}, THRESHOLDS, exploratory=exploratory).as_metrics()
        for exploratory in (False, True)
    )
    assert full["exploratory"] is False and quick["exploratory"] is True
    assert "proves nothing" in quick["reasons"][0] and quick["reasons"][1:] == full["reasons"]
    same = set(full) - {"exploratory", "reasons"}
    assert {key: full[key] for key in same} == {key: quick[key] for key in same}
