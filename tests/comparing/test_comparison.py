"""The whole comparison: what it takes from the metric files."""

from __future__ import annotations

import pandas as pd
import pytest

from anomend.comparing.anomalies import anomaly_effects, held_out_parts, pair_counts, sibling_effect
from anomend.comparing.comparison import frechet_entry, with_caution
from anomend.comparing.effects import Resampling
from anomend.measuring.rates import anomaly_rates, rate_metrics
from anomend.verdict.decision import reach_verdict
from tests.verdict.made import THRESHOLDS, compare, measured

HOW: Resampling = {"seed": 0, "resamples": 200, "permutations": 200, "confidence": 0.95}


def images(anomalous: int) -> pd.DataFrame:
    """Eight images of a target and four of a held-out prompt; the first `anomalous` of the former are anomalous."""
    rows = [("target", "a", seed, int(seed < anomalous)) for seed in range(8)]
    rows += [("held_out", "b", seed, 0) for seed in range(4)]
    table = pd.DataFrame(rows, columns=["group", "prompt", "seed", "anomalous"])
    return table.assign(anomalies=["extra_leg" if flag else "" for flag in table["anomalous"]])


def test_rates_are_those_that_were_measured() -> None:
    tables = {"base": images(6), "tuned": images(1)}
    measured = {model: rate_metrics(anomaly_rates(table)) for model, table in tables.items()}
    effects = anomaly_effects(tables, measured, HOW)
    target = effects["anomaly_rate_target"]
    assert (target.base, target.tuned, target.delta, target.n) == (0.75, 0.125, -0.625, 8)
    assert measured["base"]["anomaly_rate_target"] == target.base
    held_out = effects["anomaly_rate_held_out"]
    assert (held_out.base, held_out.p) == (0, None) and "4 pairs" in str(held_out.reason)


def test_held_out_prompts_that_training_preserves_are_apart_from_those_that_it_never_saw() -> None:
    def table(**anomalous: int) -> pd.DataFrame:
        rows = [("held_out", name, seed, int(seed < count)) for name, count in anomalous.items() for seed in range(20)]
        return pd.DataFrame([*rows, ("target", "a", 0, 1)], columns=pd.Index(["group", "prompt", "seed", "anomalous"]))

    tables = {"base": table(b=2, c=4, d=0), "tuned": table(b=2, c=10, d=4)}
    parts = held_out_parts(tables, ["b", "not sampled"], HOW)
    preserved, unseen = (parts[f"anomaly_rate_held_out_{name}"] for name in ("preserved", "unseen"))
    assert (preserved["base"], preserved["tuned"], preserved["n"], preserved["clusters"]) == (0.1, 0.1, 20, 1)
    assert (unseen["base"], unseen["tuned"], unseen["n"], unseen["clusters"]) == (0.1, 0.35, 40, 2)
    assert 0 < unseen["ci_low"] < 0.25 < unseen["ci_high"] and unseen["p"] is None
    nothing = held_out_parts(tables, [], HOW)["anomaly_rate_held_out_preserved"]
    assert nothing["delta"] is None and nothing["reason"] == "no held-out prompt is preserved"


def test_siblings_have_a_change_of_their_own_without_a_test() -> None:
    def table(anomalous: int) -> pd.DataFrame:
        rows = [("siblings", "c", seed, int(seed < anomalous)) for seed in range(20)]
        more = pd.DataFrame(rows, columns=pd.Index(["group", "prompt", "seed", "anomalous"]))
        more = more.assign(anomalies=["extra_leg" if flag else "" for flag in more["anomalous"]])
        return pd.concat([images(6), more], ignore_index=True)

    tables = {"base": table(16), "tuned": table(4)}
    measured = {model: rate_metrics(anomaly_rates(each)) for model, each in tables.items()}
    effect = sibling_effect(tables, measured, HOW)["anomaly_rate_siblings"]
    assert (effect["base"], effect["tuned"], effect["n"], effect["clusters"], effect["p"]) == (0.8, 0.2, 20, 1, None)
    assert effect["ci_low"] < -0.6 < effect["ci_high"] < 0
    assert pair_counts(tables)["anomaly_rate_siblings"]["prompts"] == [
        {"name": "c", "both": 4, "only_base": 12, "only_tuned": 0, "neither": 4}
    ]
    # The others are as they are without them, and a run without them has no such measure.
    alone = {model: images(6) for model in tables}
    assert sibling_effect(alone, {model: rate_metrics(anomaly_rates(alone[model])) for model in alone}, HOW) == {}
    with pytest.raises(ValueError, match="siblings prompts is not that of"):
        sibling_effect(tables, {"base": measured["base"], "tuned": measured["base"]}, HOW)


def test_a_metric_file_of_other_images_is_refused() -> None:
    tables = {"base": images(6), "tuned": images(1)}
    measured = {"base": rate_metrics(anomaly_rates(tables["base"])), "tuned": rate_metrics(anomaly_rates(images(2)))}
    with pytest.raises(ValueError, match="target prompts is not that of"):
        anomaly_effects(tables, measured, HOW)


def test_a_missing_frechet_distance_carries_its_reason() -> None:
    nothing = {"frechet_x": None, "reason": "one instance image", "provenance": {"n_target": 8}}
    entry = frechet_entry("x", {"base": nothing, "tuned": nothing})["frechet_x"]
    assert entry["delta"] is None and entry["reason"] == "one instance image" and entry["n"] == 8
    few = {"frechet_x": 2.5, "frechet_warning": "mostly bias", "provenance": {"n_target": 8}}
    entry = frechet_entry("x", {"base": few, "tuned": few | {"frechet_x": 2.0}})["frechet_x"]
    assert (entry["delta"], entry["reason"]) == (-0.5, "mostly bias")


def test_a_caution_about_the_detector_is_repeated_on_the_anomaly_rates() -> None:
    metrics: dict[str, dict[str, object]] = {"anomaly_rate_target": {}, "diversity": {}}
    cautious = with_caution(metrics, {"detector": "photographs", "detector_caution": "only counts people"})
    assert cautious == {
        "anomaly_rate_target": {"caution": "the detector photographs only counts people"},
        "diversity": {},
    }
    assert with_caution(metrics, {"detector": "drawn_people"}) == metrics


@pytest.mark.parametrize(
    "provenance, decides",
    [
        ({"detector": "drawn_people"}, True),
        ({"detector": "none"}, True),
        ({"detector": "objects:somebody/random@0123"}, False),
        ({"detector": "photographs", "detector_caution": "only counts people"}, False),
    ],
)
def test_only_the_checker_of_drawn_people_decides_by_itself(provenance: dict[str, str], decides: bool) -> None:
    metrics = with_caution({"anomaly_rate_target": {"base": 0.8}, "diversity": {}}, provenance)
    assert ("caution" not in metrics["anomaly_rate_target"]) is decides
    assert "caution" not in metrics["diversity"]


def test_a_random_detector_that_sees_a_perfect_correction_decides_nothing() -> None:
    """Its counts are those of a correction in which every clause passes."""
    metrics = with_caution(compare(), {"detector": "objects:somebody/random@0123"})
    assert reach_verdict(compare(), measured(), THRESHOLDS).outcome == "corrected"
    verdict = reach_verdict(metrics, measured(), THRESHOLDS)
    assert verdict.outcome == "inconclusive"
    assert "has not been shown to be right about this run's pictures" in verdict.clauses["target_rate"].sentence
