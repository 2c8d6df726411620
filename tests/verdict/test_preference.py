"""The clause about the survey's preference, where it is asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from anomend.verdict.decision import reach_verdict
from anomend.verdict.preference import preference
from tests.verdict.made import THRESHOLDS, compare, measured

ASKED = replace(THRESHOLDS, min_preference=0.5)


def survey(value: float, low: float, high: float) -> dict:
    return {"n": 12, "votes": 384, "win_rate_tuned": value, "ci_low": low, "ci_high": high}


def test_its_tails_are_those_of_the_interval() -> None:
    """A 95% interval that ends at the limit has a tail of 2.5%."""
    claim = preference(survey(0.6, 0.5, 0.68), 0.5, 0.05)
    assert claim.tails and claim.tails.beyond == pytest.approx(0.025)
    assert preference(survey(0.4, 0.3, 0.5), 0.5, 0.05).tails.within == pytest.approx(0.025)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "answers, outcome",
    [
        (survey(0.7, 0.6, 0.8), "corrected"),
        (survey(0.55, 0.45, 0.65), "inconclusive"),
        (survey(0.2, 0.12, 0.3), "not_corrected"),
        ({"n": 0, "win_rate_tuned": None, "reason": "no responses yet"}, "inconclusive"),
        ({}, "inconclusive"),
    ],
)
def test_it_decides_like_every_clause(answers: dict, outcome: str) -> None:
    verdict = reach_verdict(compare(), measured(), ASKED, survey=answers)
    assert verdict.outcome == outcome
    if outcome == "corrected":
        assert verdict.clauses["preference"].bound == pytest.approx(0.616, abs=0.001)  # .7 - 1.645 * .1 / 1.96


def test_it_is_not_asked_for_by_default() -> None:
    verdict = reach_verdict(compare(), measured(), THRESHOLDS, survey=survey(0.2, 0.1, 0.3))
    assert verdict.outcome == "corrected" and "preference" not in verdict.clauses
