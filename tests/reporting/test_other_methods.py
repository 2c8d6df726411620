"""What the report says of other methods, by the committed comparison."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from anomend.reporting.inputs import ReportInputs
from anomend.reporting.other_methods import better_method
from anomend.reporting.run_facts import facts

COLUMNS = ("method", "train_seed", "target_tuned", "target_upper", "instance_images", "labels", "verdict")
RUNS = pd.DataFrame(
    [
        ("nft", 0, 0.04, 0.055, 0, 0, "corrected"),
        ("nft", 1, 0.05, 0.062, 0, 0, "corrected"),
        ("dreambooth", 0, 0.09, 0.12, 47, 0, "corrected"),
        ("labels", 0, 0.01, 0.03, 0, 400, "corrected"),
        ("labels", 1, 0.02, 0.04, 0, 400, "not_corrected"),
    ],
    columns=COLUMNS,
)


def test_the_best_is_the_one_with_the_lowest_rate_of_those_that_always_correct() -> None:
    assert better_method(RUNS, base="mini", method="dreambooth") == (
        "nft would leave 4.5% (at most 6.2% with 95% confidence in each of 2 trainings) of the target images wrong, "
        "against 9.0% (at most 12.0% with 95% confidence in one training) by dreambooth. It takes no instance images "
        "and no labels."
    )
    assert "by dpo" not in better_method(RUNS, base="mini", method="dpo")


def test_a_run_by_the_best_method_says_so() -> None:
    said = better_method(RUNS, base="mini", method="nft")
    assert said.startswith("None that was compared leaves fewer target images wrong than nft: 4.5%")


def test_nothing_is_said_of_another_base_or_without_a_comparison() -> None:
    assert better_method(RUNS, base="sd3", method="dreambooth") == ""
    assert better_method(None, base="mini", method="dreambooth") == ""
    assert better_method(RUNS[RUNS["method"] == "labels"], base="mini", method="labels") == ""


def test_the_report_has_it_among_the_facts_of_the_run(inputs: ReportInputs) -> None:
    run = replace(inputs, methods=RUNS, base_model={"name": "mini"}, parameters={"train": {"method": "dreambooth"}})
    (said,) = [value for fact, value in facts(run).rows if fact == "Other methods"]
    assert said.startswith("nft would leave 4.5%") and said.endswith("studies/experiments/methods.md.")
    assert "Other methods" not in dict(facts(replace(run, methods=None)).rows)
