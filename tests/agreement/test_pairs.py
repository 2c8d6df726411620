"""Agreement between raters, against statsmodels, scipy and tables worked by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau
from statsmodels.stats.inter_rater import cohens_kappa

from anomend.agreement.pairs import agreement_metrics, compare_raters, confusion_rows, disagreements
from anomend.project.seeding import numpy_generator


def scores(values: list[float], prompts: int = 2) -> pd.Series:
    index = pd.MultiIndex.from_tuples(
        [(f"prompt {number % prompts}", number) for number in range(len(values))], names=["prompt", "seed"]
    )
    return pd.Series(values, index)


def test_two_raters() -> None:
    first = scores([1, 1, 0.8, 0, 0.5, 0.2, 1, 0, 0.6, 0.5])
    second = scores([1, 0, 0.5, 0, 0.5, 0.3, 1, 1, 0.9, 0])
    found = compare_raters(first, second, seed=0)
    assert found["n"] == 10 and found["agreement"] == pytest.approx(0.6)
    # Rows: the first's base, tie, tuned.
    table = np.array([[2, 0, 1], [1, 1, 0], [1, 1, 3]])
    assert found["kappa"] == pytest.approx(cohens_kappa(table).kappa)
    assert found["ci_low"] < found["kappa"] < found["ci_high"]
    tau = kendalltau(first, second)
    assert (found["rank_correlation"], found["rank_p"]) == (pytest.approx(tau.statistic), pytest.approx(tau.pvalue))
    rows = confusion_rows({"x": first, "y": second})
    assert np.array_equal(rows["pairs"].to_numpy().reshape(3, 3), table)


def test_the_interval_holds_the_true_kappa_in_nine_of_ten_simulations() -> None:
    # Two raters who both see the truth in 8 of 10 pairs and else draw lots: p_o = .8^2 + (1 - .8^2) / 2, p_e = .5.
    truth, held = 0.8**2, 0
    for seed in range(100):
        rng = numpy_generator(seed, "raters")
        right = rng.integers(0, 2, 80)
        seen = [np.where(rng.random(80) < 0.8, right, rng.integers(0, 2, 80)).astype(float) for _ in range(2)]
        found = compare_raters(scores(list(seen[0])), scores(list(seen[1])), seed=0, resamples=500)
        held += found["ci_low"] <= truth <= found["ci_high"]
    assert held >= 90


def test_the_interval_of_ten_pairs_holds_the_true_kappa_too() -> None:
    """Two raters who agree in .82 of pairs; with 200 runs the standard error of a share of .9 is .021."""
    truth, held, runs = 0.8**2, 0, 200
    for seed in range(runs):
        rng = numpy_generator(seed, "few raters")
        right = rng.integers(0, 2, 10)
        seen = [np.where(rng.random(10) < 0.8, right, rng.integers(0, 2, 10)).astype(float) for _ in range(2)]
        found = compare_raters(scores(list(seen[0])), scores(list(seen[1])), seed=0, resamples=300)
        held += found["ci_low"] is not None and found["ci_low"] <= truth <= found["ci_high"]
    assert held / runs >= 0.86


def test_what_cannot_be_computed_has_a_reason() -> None:
    always = scores([1.0] * 8)
    assert compare_raters(always, scores([]), seed=0)["n"] == 0
    same = compare_raters(always, always, seed=0)
    assert same["kappa"] is None and same["agreement"] == 1 and "always make the same choice" in same["reason"]
    assert same["rank_correlation"] is None
    few = compare_raters(scores([1, 0, 1]), scores([1, 0, 0]), seed=0)
    assert few["ci_low"] is None and "needs 5 pairs" in few["reason"]


def test_only_common_pairs_count_and_every_two_are_compared() -> None:
    first, second, third = scores([1, 0, 1, 0, 1, 0]), scores([1, 0, 1, 0]), scores([0, 1, 0, 1, 0, 1])
    found = agreement_metrics({"people": first, "a": second, "b": third}, seed=0, resamples=200)
    assert set(found) == {"people", "people__a", "people__b", "a__b"} and found["people"] == {"n": 6}
    assert found["people__a"]["n"] == 4 and found["people__a"]["kappa"] == 1
    assert found["people__b"]["kappa"] == -1


def test_the_largest_disagreements_come_first() -> None:
    first, second = scores([1, 0.5, 1, 0]), scores([0, 0, 1, 0])
    found = disagreements({"people": first, "judge": second}, 10)
    assert list(found["seed"]) == [0, 1] and list(found["spread"]) == [1.0, 0.5]
    assert list(disagreements({"people": first}, 10)["seed"]) == []


def test_raters_who_never_differ_have_an_interval_that_few_pairs_leave_wide() -> None:
    six = compare_raters(scores([1, 0] * 3), scores([1, 0] * 3), seed=0)
    # Wilson's lowest agreement at 6 of 6 is 6 / (6 + z^2); by chance half of the pairs agree.
    assert six["ci_low"] == pytest.approx((6 / (6 + 1.959964**2) - 0.5) / 0.5) and six["ci_high"] == 1
    # Raters of kappa .94 (3 of 100 answers differ, half by chance) often agree on all of 20 pairs.
    held = 0
    for seed in range(100):
        rng = numpy_generator(seed, "near twins")
        one = rng.integers(0, 2, 20)
        other = np.where(rng.random(20) < 0.03, 1 - one, one)
        found = compare_raters(
            scores(list(one.astype(float))), scores(list(other.astype(float))), seed=0, resamples=300
        )
        held += found["ci_low"] <= 0.94 <= found["ci_high"]
    assert held >= 90


def test_what_people_and_judges_contradict_comes_before_what_measures_do() -> None:
    people, judge, measure = scores([0.9, 0.8, 0.95, 0.9]), scores([1, 1, 0, 1]), scores([0, 0, 1, 0])
    # All four have a spread of 1; people and judge are .95, .2, .1 and .1 apart. Prompts 0 and 1 take turns.
    assert list(disagreements({"people": people, "judge": judge, "other": measure}, 4)["seed"]) == [0, 2, 1, 3]
    found = disagreements({"people": people, "judge": judge, "measure_anatomy": measure}, 4)
    assert list(found["seed"]) == [2, 1, 0, 3] and list(found["spread"]) == [1.0] * 4


def test_pairs_that_only_measures_scored_are_left_out() -> None:
    measures = {"measure_anatomy": scores([0, 0, 1]), "measure_nearest_instance": scores([1, 1, 0])}
    assert disagreements(measures, 4).empty
    assert list(disagreements({"people": scores([0.5]), **measures}, 4)["seed"]) == [0]
