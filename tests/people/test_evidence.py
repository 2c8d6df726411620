"""What people's labels of a run say, from simulated raters and pictures whose classes are known."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from anomend.people.answers import kind_code, read_answers
from anomend.people.evidence import ERRORS_UNKNOWN, NO_LABELS, people_metrics
from anomend.people.majority import majority
from anomend.statistics.dawid_skene import NOTHING, UNSURE, WRONG
from tests.people.made import COLUMNS, labels_of, pictures

SAMPLES = pictures({("target", "grass"): 60, ("target", "street"): 60, ("held_out", "sofa"): 60})
RATERS = {"r1": 0.05, "r2": 0.1, "r3": 0.2}


def planted(base: float, tuned: float, held_out: float, seed: int = 0) -> pd.Series:
    """Which samples are wrong, exactly as many as these shares say."""
    rates = SAMPLES["model"].map({"base": base, "tuned": tuned}).where(SAMPLES["group"] == "target", held_out)
    places = SAMPLES.groupby(["group", "prompt", "model"]).cumcount()
    wrong = places < (rates * 60).round()
    rng = np.random.default_rng(seed)
    # In another order of the seeds for every part.
    shuffled = wrong.groupby([SAMPLES["group"], SAMPLES["prompt"], SAMPLES["model"]], sort=False)
    return shuffled.transform(lambda part: rng.permutation(part.to_numpy())).astype(bool)


@pytest.fixture(scope="module")
def metrics() -> dict:
    wrong = planted(0.8, 0.1, 0.05)
    return people_metrics(labels_of(SAMPLES, wrong, RATERS, rng=np.random.default_rng(1)), SAMPLES)


def test_the_intervals_hold_what_was_planted(metrics: dict) -> None:
    target, held_out = metrics["anomaly_rate_target"], metrics["anomaly_rate_held_out"]
    assert target["base"] == pytest.approx(0.8, abs=0.06)
    assert target["tuned_ci_low"] <= 0.1 <= target["tuned_ci_high"]
    assert target["ci_low"] <= -0.7 <= target["ci_high"]
    assert held_out["ci_low"] <= 0 <= held_out["ci_high"]
    assert target["tuned"] < target["majority_tuned"]  # Few are wrong, so that a majority is wrong more often upwards.


def test_it_says_who_labelled_what(metrics: dict) -> None:
    assert (metrics["n"], metrics["labels"], metrics["labelled"], metrics["not_seen"]) == (3, 1080, 360, 0)
    assert [row["error"] for row in metrics["raters"]] == pytest.approx([0.05, 0.1, 0.2], abs=0.04)
    assert metrics["median_ms"] == 4000
    assert metrics["agreement"]["ci_low"] < metrics["agreement"]["krippendorff_alpha"] < metrics["agreement"]["ci_high"]
    json.dumps(metrics, allow_nan=False)


def test_prompts_and_kinds_are_in_the_form_that_the_verdict_reads(metrics: dict) -> None:
    target = metrics["anomaly_rate_target"]
    assert [row["name"] for row in target["prompts"]] == ["grass", "street"]
    assert [row["name"] for row in target["kinds"]] == ["extra_limb"]
    assert target["kinds"][0]["tuned"] == pytest.approx(target["tuned"], abs=0.05)


def test_siblings_of_the_target_have_rates_of_their_own() -> None:
    samples = pictures({("target", "grass"): 60, ("held_out", "sofa"): 60, ("siblings", "snow"): 60})
    wrong = (samples["group"] != "held_out") & (samples["model"] == "base") & (samples["seed"] < 48)
    found = people_metrics(labels_of(samples, wrong, RATERS, rng=np.random.default_rng(4)), samples)
    siblings = found["anomaly_rate_siblings"]
    assert siblings["base"] == pytest.approx(0.8, abs=0.06) and siblings["ci_low"] <= -0.8 <= siblings["ci_high"] < 0
    assert [row["name"] for row in siblings["prompts"]] == ["snow"]
    nothing = people_metrics(pd.DataFrame(columns=COLUMNS), samples)["anomaly_rate_siblings"]
    assert nothing == {"base": None, "tuned": None, "reason": NO_LABELS}


def test_without_labels_there_is_a_reason() -> None:
    metrics = people_metrics(pd.DataFrame(columns=COLUMNS), SAMPLES)
    assert metrics["anomaly_rate_target"] == {"base": None, "tuned": None, "reason": NO_LABELS}
    assert "anomaly_rate_siblings" not in metrics
    assert (metrics["labelled"], metrics["not_seen"]) == (0, 360)


def test_a_picture_without_labels_is_not_seen_and_not_right() -> None:
    wrong = planted(0.8, 0.8, 0.05)
    labels = labels_of(SAMPLES, wrong, RATERS, rng=np.random.default_rng(2))
    few = labels[labels["picture"].str.contains(r" [0-2]\d? (?:base|tuned)")]
    metrics = people_metrics(few, SAMPLES)
    assert metrics["not_seen"] > 100
    assert metrics["anomaly_rate_target"]["tuned"] == pytest.approx(0.8, abs=0.12)


def test_a_prompt_without_labels_leaves_its_group_without_a_rate() -> None:
    labels = labels_of(SAMPLES, planted(0.8, 0.1, 0.05), RATERS, rng=np.random.default_rng(3))
    metrics = people_metrics(labels[~labels["picture"].str.contains("street")], SAMPLES)
    assert "'street' has no pair with labels" in metrics["anomaly_rate_target"]["reason"]


def test_a_single_rater_decides_nothing_and_gold_pictures_change_that() -> None:
    wrong = planted(0.8, 0.1, 0.05)
    labels = labels_of(SAMPLES, wrong, {"r1": 0.1}, rng=np.random.default_rng(4))
    assert people_metrics(labels, SAMPLES)["anomaly_rate_target"]["caution"] == ERRORS_UNKNOWN
    gold = [
        (f"gold {place}", "r1", "wrong" if place % 2 else "nothing", "", "", 3000.0, "en-1", 0, known)
        for place in range(60)
        for known in ["wrong" if (place % 2) != (place % 10 == 0) else "nothing"]
    ]
    with_gold = pd.concat([labels, pd.DataFrame(gold, columns=COLUMNS)])
    target = people_metrics(with_gold, SAMPLES)["anomaly_rate_target"]
    assert "caution" not in target
    assert target["tuned_ci_low"] <= 0.1 <= target["tuned_ci_high"]


def test_repeats_count_for_steadiness_only() -> None:
    labels = labels_of(SAMPLES, planted(0.8, 0.1, 0.05), RATERS, rng=np.random.default_rng(5))
    again = labels.iloc[:100].assign(showing=1)
    again.loc[again.index[:20], "answer"] = "unsure"
    once, twice = people_metrics(labels, SAMPLES), people_metrics(pd.concat([labels, again]), SAMPLES)
    assert twice["repeats"]["n"] == 100 and twice["repeats"]["consistency"] == pytest.approx(0.8)
    assert twice["anomaly_rate_target"] == once["anomaly_rate_target"]


def test_the_majority_leaves_ties_and_unsure_out() -> None:
    codes = np.array([[WRONG, WRONG, NOTHING], [WRONG, NOTHING, -1], [UNSURE, NOTHING, -1], [UNSURE, -1, -1]])
    assert majority(codes) == pytest.approx([1, np.nan, 0, np.nan], nan_ok=True)


def test_a_kind_is_an_answer_to_its_own_question() -> None:
    labels = pd.DataFrame({"answer": ["wrong", "wrong", "unsure"], "kinds": ["hand foot", "face", ""]})
    assert kind_code("foot")(labels).tolist() == [WRONG, NOTHING, UNSURE]


def test_a_picture_that_is_twice_in_the_design_is_refused() -> None:
    with pytest.raises(ValueError, match="'grass' with seed 0 twice: run stage `label` again"):
        read_answers(pd.DataFrame(columns=COLUMNS), pd.concat([SAMPLES, SAMPLES.iloc[:1]]))
