"""The verdict where people decide, and what a detector may add."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from anomend.people.evidence import people_metrics
from anomend.verdict.decision import reach_verdict
from tests.people.made import labels_of, pictures
from tests.verdict.made import THRESHOLDS, compare, measured

RATERS = {"r1": 0.05, "r2": 0.1, "r3": 0.15}
KEYS = ["group", "prompt", "seed", "model"]
KINDS = ("extra_limb", "missing_limb", "hand")


def run_of(
    base: float,
    tuned: float,
    *,
    seeds: int,
    labelled: int | None = None,
    detector: tuple[float, float] | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """What people say of a run with two target and four held-out prompts, of which 4% are wrong with either model.

    Args:
        labelled: seeds per prompt that people see; None: all.
        detector: its sensitivity and specificity, if it helps.
    """
    rng = np.random.default_rng(seed)
    design = {("target", name): seeds for name in ("grass", "street")}
    design |= {("held_out", f"p{place}"): seeds for place in range(4)}
    samples = pictures(design)
    rates = samples["model"].map({"base": base, "tuned": tuned}).where(samples["group"] == "target", 0.04)
    # Both models draw the same held-out picture from a seed: pairs are alike.
    wrong = pd.Series(rng.random(len(samples)) < rates)
    held_out = (samples["group"] == "held_out").to_numpy()
    wrong[held_out] = np.repeat(wrong[held_out].to_numpy()[::2], 2)
    if labelled is not None:
        samples.loc[samples["seed"] >= labelled, "picture"] = ""
    machine = None
    if detector is not None:
        chance = np.where(wrong, detector[0], 1 - detector[1])
        found = (rng.random(len(samples)) < chance).astype(float)
        machine = pd.Series(found, index=pd.MultiIndex.from_frame(samples[KEYS]))
    asked = samples["picture"] != ""
    labels = labels_of(samples[asked], wrong[asked], RATERS, rng=rng, kinds=KINDS)
    return people_metrics(labels, samples, machine=machine, resamples=100)


BLIND = compare(
    anomaly_rate_target=compare()["anomaly_rate_target"] | {"caution": "the detector proves nothing"},
    anomaly_rate_held_out=compare()["anomaly_rate_held_out"] | {"caution": "the detector proves nothing"},
)


def test_a_set_planted_good_is_corrected_by_people_and_not_by_an_unproven_detector() -> None:
    people = run_of(0.8, 0.03, seeds=160)
    verdict = reach_verdict(BLIND, measured(), THRESHOLDS, evidence="people", people=people)
    assert verdict.outcome == "corrected", verdict.reasons
    assert verdict.as_metrics()["evidence"] == "people"
    assert verdict.as_metrics()["reasons"][0].startswith("3 raters decide about anomalies, by 5,760 labels of 1,920")
    assert reach_verdict(BLIND, measured(), THRESHOLDS, people=people).outcome == "inconclusive"


def test_a_set_planted_bad_is_not_corrected_whatever_the_detector_says() -> None:
    people = run_of(0.8, 0.5, seeds=60)
    verdict = reach_verdict(compare(), measured(), THRESHOLDS, evidence="people", people=people)
    assert reach_verdict(compare(), measured(), THRESHOLDS).outcome == "corrected"
    assert verdict.outcome == "not_corrected"
    assert verdict.clauses["target_rate"].passed is False
    assert verdict.metrics["target_anomaly_rate_tuned"] == pytest.approx(0.5, abs=0.1)


def test_too_few_labels_say_how_many_more_it_takes() -> None:
    verdict = reach_verdict(
        compare(), measured(), THRESHOLDS, evidence="people", people=run_of(0.8, 0.03, seeds=32, seed=1)
    )
    assert verdict.outcome == "inconclusive"
    assert any("labelled pairs per prompt (now 32) show it" in reason for reason in verdict.reasons)
    assert verdict.as_metrics()["clauses"]["held_out"]["advice"]["labelled_pairs_per_prompt"] > 32


@pytest.mark.parametrize("people", [None, {}, {"anomaly_rate_target": {"base": 0.5, "tuned": 0.1}}])
def test_without_labels_nothing_is_decided(people: dict[str, Any] | None) -> None:
    verdict = reach_verdict(compare(), measured(), THRESHOLDS, evidence="people", people=people)
    assert verdict.outcome == "inconclusive"
    for name in ("target_drop", "target_rate", "worst_target_prompt", "new_kinds", "held_out"):
        assert verdict.clauses[name].passed is None
    assert verdict.clauses["diversity"].passed is True
    assert verdict.decides.startswith("People are to decide about anomalies, and have labelled nothing yet")


def test_a_rater_whose_errors_are_unknown_decides_nothing() -> None:
    people = run_of(0.8, 0.03, seeds=40)
    for group in ("target", "held_out"):
        people[f"anomaly_rate_{group}"]["caution"] = "how often the raters err is not known"
    verdict = reach_verdict(compare(), measured(), THRESHOLDS, evidence="people", people=people)
    assert verdict.outcome == "inconclusive"
    assert "how often the raters err is not known" in verdict.clauses["target_rate"].sentence


def test_a_good_detector_saves_labels_and_a_random_one_decides_nothing() -> None:
    good = run_of(0.8, 0.03, seeds=200, labelled=50, detector=(0.95, 0.97))
    random = run_of(0.8, 0.03, seeds=200, labelled=50, detector=(0.5, 0.5))
    alone = run_of(0.8, 0.03, seeds=200, labelled=50)
    name = "anomaly_rate_target"
    assert good[name]["labels_saved"] > 50
    assert random[name]["labels_saved"] < 20
    # Both models' held-out pictures are alike, so that their labels differ by the raters' errors alone.
    assert good["anomaly_rate_held_out"]["labels_saved"] == 0
    widths = {
        key: people[name]["ci_high"] - people[name]["ci_low"]
        for key, people in (("good", good), ("random", random), ("alone", alone))
    }
    assert widths["good"] < 0.9 * widths["alone"]
    assert widths["random"] <= 1.05 * widths["alone"]
    verdict = reach_verdict(BLIND, measured(), THRESHOLDS, evidence="people+machine", people=good)
    assert verdict.clauses["target_drop"].passed and verdict.clauses["target_rate"].passed
    assert "with the help of the detector" in verdict.decides
