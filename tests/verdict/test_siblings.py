"""The siblings of the target: what the verdict says of them, and that it decides nothing by them."""

from __future__ import annotations

from typing import Any

import pytest

from anomend.verdict.decision import reach_verdict
from anomend.verdict.looks import LookPlan
from anomend.verdict.rounds import SIBLINGS, Rounds
from tests.verdict.made import THRESHOLDS, Counts, change, compare, measured


def siblings(counts: Counts, low: float, high: float, **more: Any) -> dict[str, Any]:
    """80 pairs of one sibling, with an interval of the change."""
    rates = change({"lying on the snow": counts})
    return {"anomaly_rate_siblings": rates | {"ci_low": low, "ci_high": high} | more}


@pytest.mark.parametrize(
    ("counts", "interval", "meaning"),
    [
        ((2, 58, 4, 16), (-0.8, -0.5), "the correction carries over to them"),
        ((2, 2, 1, 75), (-0.06, 0.03), "no change is shown"),
        ((2, 0, 40, 38), (0.3, 0.6), "they got worse"),
    ],
)
def test_the_scope_says_whether_the_correction_carries_over_and_no_clause_does(
    counts: Counts, interval: tuple[float, float], meaning: str
) -> None:
    plain, found = compare(), compare(**siblings(counts, *interval))
    verdict = reach_verdict(found, measured(), THRESHOLDS)
    assert verdict.clauses == reach_verdict(plain, measured(), THRESHOLDS).clauses
    assert verdict.outcome == "corrected"
    base, tuned = counts[0] + counts[1], counts[0] + counts[2]
    (sentence,) = (each for each in verdict.scope if "sibling" in each)
    assert meaning in sentence and "No clause is about them" in sentence
    assert f"{base / 80:.1%} anomalous with the base, {tuned / 80:.1%} with the tuned model" in sentence
    assert verdict.as_metrics()["siblings"] == {
        "base": base / 80,
        "tuned": tuned / 80,
        "delta": pytest.approx((tuned - base) / 80),
        "ci_low": interval[0],
        "ci_high": interval[1],
        "prompts": 1,
        "pairs": 80,
    }


def test_a_run_without_siblings_says_nothing_of_them() -> None:
    verdict = reach_verdict(compare(), measured(), THRESHOLDS)
    assert "siblings" not in verdict.as_metrics() and "sibling" not in " ".join(verdict.scope)


def test_rates_of_an_unproven_detector_prove_nothing_about_siblings_either() -> None:
    found = compare(**siblings((2, 58, 4, 16), -0.8, -0.5, caution="the detector only counts people"))
    scope = " ".join(reach_verdict(found, measured(), THRESHOLDS).scope)
    assert "which proves nothing, since the detector only counts people" in scope and "carries over" not in scope


def test_where_people_decide_their_labels_of_siblings_are_read() -> None:
    found = compare(**siblings((2, 58, 4, 16), -0.8, -0.5))
    people = {"anomaly_rate_siblings": {"base": None, "tuned": None, "reason": "nobody has labelled one"}}
    verdict = reach_verdict(found, measured(), THRESHOLDS, evidence="people", people=people)
    assert verdict.as_metrics()["siblings"]["reason"] == "nobody has labelled one"
    assert verdict.as_metrics()["siblings"]["base"] is None


def test_contradicting_files_are_not_read() -> None:
    found = compare(**siblings((2, 58, 4, 16), -0.8, -0.5))
    verdict = reach_verdict(found, measured() | {"anomaly_rate_siblings": 0.5}, THRESHOLDS)
    assert "one file is stale" in verdict.as_metrics()["siblings"]["reason"]
    assert verdict.as_metrics()["siblings"]["ci_low"] is None


def test_siblings_are_sampled_once_with_all_seeds_wherever_the_looks_stopped() -> None:
    plan = LookPlan(shares=(0.5, 1.0), target_seeds=8, held_out_seeds=4)
    rounds = Rounds(seeds={"target": {"a": 4}, "held_out": {"b": 2}}, look=1, stopped="every clause is shown")
    plain, more = rounds.as_metrics(plan), rounds.as_metrics(plan, ["c"])
    assert more["seeds"] == [*plain["seeds"], {"group": SIBLINGS, "prompt": "c", "seeds": 4}]
    # The verdict rests on the others alone.
    assert (more["images"], more["images_planned"]) == (plain["images"], plain["images_planned"]) == (12, 24)
