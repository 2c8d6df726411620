"""The studies of people's labels run, and say what they planted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from studies.experiments import people, people_bound, people_intervals
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


def test_no_estimate_of_perfect_raters_is_better_than_a_share() -> None:
    assert people_bound.narrowest_width(0.7, 0.15, [1e-4, 1e-4, 1e-4], 3) == pytest.approx(1, abs=2e-3)


def test_the_best_estimate_is_as_exact_as_the_bound_says() -> None:
    """Hui and Walter's estimate of two raters solves their equations exactly; in large samples it reaches the bound."""
    base, tuned, errors, n = 0.7, 0.15, (0.05, 0.1), 20_000
    rng, found = np.random.default_rng(0), []
    for _ in range(400):
        wrong = rng.random((2, n)) < np.array([[base], [tuned]])
        says = wrong[..., None] != (rng.random((2, n, 2)) < errors)
        (p1, p2), (q1, q2) = says.mean(axis=1)
        p12, q12 = says.all(axis=2).mean(axis=1)
        # Of rates a and b and the product s of the raters' slopes: c = a (1 - a) s, d = b (1 - b) s, m = (a - b)^2 s.
        c, d, m = p12 - p1 * p2, q12 - q1 * q2, (p1 - q1) * (p2 - q2)
        k = (c - d) / m
        difference = 1 / np.sqrt(2 * (c + d) / m + k**2 + 1)
        found.append((1 - k * difference - difference) / 2)
    sd = np.std(found) / np.sqrt(tuned * (1 - tuned) / n)
    assert sd == pytest.approx(people_bound.narrowest_width(base, tuned, errors, 2), rel=0.1)


def test_every_truth_at_a_limit_names_its_clause() -> None:
    for design in people.DESIGNS:
        at_limit = {truth.name for truth in people.TRUTHS if truth.slack(design) == 0}
        assert at_limit <= set(people.AT_LIMIT)
