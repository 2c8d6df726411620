"""What the report says of other methods, by the committed comparison."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from anomend.reporting.inputs import ReportInputs
from anomend.reporting.other_methods import better_method
from anomend.reporting.run_facts import facts

COLUMNS = (
    "method",
    "train_seed",
    "target_tuned",
    "target_upper",
    "instance_images",
    "labels",
    "seconds_train",
    "verdict",
    "target_images",
)
RUNS = pd.DataFrame(
    [
        ("nft", 0, 0.04, 0.055, 0, 0, 1000.0, "corrected", 1024),
        ("nft", 1, 0.05, 0.0612, 0, 0, 1200.0, "corrected", 1024),
        ("dreambooth", 0, 0.09, 0.12, 47, 0, 110.0, "corrected", 320),
        ("labels", 0, 0.01, 0.03, 0, 400, 300.0, "corrected", 320),
        ("labels", 1, 0.02, 0.04, 0, 400, 300.0, "not_corrected", 320),
        # Variants are not what a user's train.method would give.
        ("best_of_4", 0, 0.01, 0.02, 0, 0, 0.0, "corrected", 320),
        ("nft_long", 0, 0.02, 0.03, 0, 0, 5000.0, "corrected", 320),
    ],
    columns=COLUMNS,
)


def by(method: str, **base: Any) -> dict[str, Any]:
    """Parameters of the default run by another method."""
    return {"profile": "mini", "base": {"name": "mini", "local_folder": None} | base, "train": {"method": method}}


def test_the_best_is_the_one_with_the_lowest_rate_of_those_that_always_correct() -> None:
    assert better_method(RUNS, by("dreambooth")) == (
        "Compared by their default recipes, and of those that always corrected, nft left the fewest target images "
        "wrong: 4.5% (at most 6.2% with 95% confidence in each of 2 trainings, from 1,024 images; 1,100 CPU seconds of "
        "training on average), with no instance images and no labels; dreambooth left 9.0% (at most 12.0% with 95% "
        "confidence in one training, from 320 images; 110 CPU seconds of training)."
    )


@pytest.mark.parametrize("method", ["nft", "labels", "dpo", "none"])
def test_nothing_is_said_where_no_other_method_was_better_or_the_own_one_was_not_compared(method: str) -> None:
    assert better_method(RUNS, by(method)) == ""


def test_nothing_is_said_of_another_base_or_without_a_comparison() -> None:
    assert better_method(RUNS, by("dreambooth") | {"profile": "mini-null"}) == ""
    assert better_method(RUNS, by("dreambooth", local_folder="models/own")) == ""
    assert better_method(RUNS, by("dreambooth", name="sd3-medium")) == ""
    assert better_method(None, by("dreambooth")) == better_method(RUNS[:0], by("dreambooth")) == ""


def test_the_report_has_it_among_the_facts_of_the_run(inputs: ReportInputs) -> None:
    run = replace(inputs, methods=RUNS, base_model={"name": "mini"}, parameters=by("dreambooth"))
    (said,) = [value for fact, value in facts(run).rows if fact == "Other methods"]
    assert "nft left the fewest" in said and said.endswith("studies/experiments/methods.md.")
    assert "Other methods" not in dict(facts(replace(run, methods=None)).rows)
