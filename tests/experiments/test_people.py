"""The studies of people's labels run, and say what they planted."""

from __future__ import annotations

import pandas as pd
import pytest

from studies.experiments import people, people_intervals
from studies.experiments.truths import Design, Truth


def test_a_model_that_changed_nothing_is_never_corrected() -> None:
    design, truth = Design(2, 32, 2, 16), Truth("nothing changed", tuned=0.79, new_kind=1.0)
    found = people.simulate(truth, design, people.LABELLINGS[0], 4)
    assert found["not_corrected"] == 1 and found["corrected"] == 0
    assert 1 < found["width"] < 1.6


def test_the_page_names_the_largest_errors() -> None:
    row = {"design": "2x32/4x32", "labels": "x", "corrected": 0.01, "inconclusive": 0.9, "not_corrected": 0.02}
    row |= {"clause_passes": 0.04, "interval_holds": 0.95, "width": 1.1, "simulations": 10}
    rows = [row | {"truth": "a", "truth_ok": "limit"}, row | {"truth": "b", "truth_ok": "yes", "not_corrected": 0.0}]
    page = people.page(pd.DataFrame(rows))
    assert "whose limit the truth is at: 0.0400" in page and "where it is: 0.0000" in page


@pytest.mark.parametrize("cell", [people_intervals.CELLS[0], people_intervals.CELLS[-1]])
def test_intervals_are_simulated_with_and_without_a_detector(cell: people_intervals.Cell) -> None:
    found = people_intervals.simulate(cell, 5)
    assert 0 <= found["holds"] <= 1 and 0.5 < found["width"] < 2


def test_every_truth_at_a_limit_names_its_clause() -> None:
    for design in people.DESIGNS:
        at_limit = {truth.name for truth in people.TRUTHS if truth.slack(design) == 0}
        assert at_limit <= set(people.AT_LIMIT)
