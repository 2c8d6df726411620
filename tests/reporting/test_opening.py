"""The first screen: sentence, evidence and numbers."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from anomend.reporting.clauses import CLAUSES, bound_text, clause_table
from anomend.reporting.formatting import change_text
from anomend.reporting.inputs import ReportInputs
from anomend.reporting.opening import ON_TARGET, evidence_sentences, measured, numbers, verdict_sentence
from anomend.verdict.claims import Thresholds


def test_a_corrected_run_in_a_sentence(inputs: ReportInputs) -> None:
    assert verdict_sentence(inputs) == (
        "The base model draws 80.0% of the target images wrong, the tuned model 20.0%, and what that cost elsewhere is "
        "within the limits that were set before the run."
    )


@pytest.mark.parametrize(
    ("passed", "begins"),
    [
        (
            False,
            "One requirement is not met: that at most 15.0% of the tuned model's target images are wrong (measured: 21",
        ),
        (None, "It is not settled whether at most 15.0% of the tuned model's target images are wrong (measured: 21"),
    ],
)
def test_what_failed_or_is_open_is_what_the_sentence_names(
    inputs: ReportInputs, passed: bool | None, begins: str
) -> None:
    clauses = {
        "diversity": {"passed": True, "figure": 0.9, "threshold": 0.7},
        "target_rate": {"passed": passed, "figure": 0.21, "bound": 0.2502, "threshold": 0.15},
    }
    verdict = {"verdict": "inconclusive" if passed is None else "not_corrected", "clauses": clauses}
    sentence = verdict_sentence(replace(inputs, verdict=verdict))
    # 25.02%, away from the data.
    side = "best 25.0%" if passed is False else "worst 25.1%"
    assert sentence.startswith(begins) and sentence.endswith(f".0%, at {side} with 95% confidence).")


def test_all_that_failed_is_named_and_what_is_open_is_counted(inputs: ReportInputs) -> None:
    clauses = {
        "target_rate": {"passed": True, "figure": 0.0, "bound": 0.01, "threshold": 0.15},
        "held_out": {"passed": None, "figure": 0.067, "bound": 0.1, "threshold": 0.05},
        "diversity": {"passed": False, "figure": 0.35, "bound": 0.39, "threshold": 0.7},
        "memorisation": {"passed": False, "figure": 0.5, "bound": 0.45, "threshold": 0.1},
    }
    verdict = {"verdict": "not_corrected", "clauses": clauses}
    failed = replace(inputs, verdict=verdict)
    assert verdict_sentence(failed) == (
        "2 requirements are not met: that right images are at least 0.70 times as diverse as the base model's "
        "(measured: 0.35, at best 0.39 with 95% confidence); that at most 10.0% of the target images copy a training "
        "image (measured: 50.0%, at best 45.0% with 95% confidence)."
    )
    met = {name: {"passed": True, "figure": 0.0, "bound": 0.01, "threshold": 0.15} for name in ON_TARGET}
    gone = verdict_sentence(replace(inputs, verdict={**verdict, "clauses": clauses | met}))
    assert gone.startswith(
        "The fault is gone from the target prompts, but 2 requirements are not met: that right images"
    )
    assert (
        "1 of 4 requirements are shown to be met, 2 not to be met, 1 is not settled." in evidence_sentences(failed)[0]
    )


def test_every_clause_that_has_a_threshold_has_words() -> None:
    found = set(CLAUSES)
    assert {"target_drop", "target_rate", "held_out", "diversity", "memorisation", "preference"} <= found
    assert len(found) >= len(Thresholds.__dataclass_fields__) - 1  # All but the level.


def test_evidence_level_and_confirmation_are_named(inputs: ReportInputs) -> None:
    exploratory = " ".join(evidence_sentences(inputs))
    assert "95% confidence: 8 of 8 requirements are shown to be met" in exploratory and "Exploratory" in exploratory
    assert "The detector's own errors are not counted." in exploratory
    other: dict[str, Any] = {**inputs.verdict, "confirmation": 2, "evidence": "people"}
    other["provenance"] = {"thresholds": {"level": 0.99}}
    confirmed = " ".join(evidence_sentences(replace(inputs, verdict=other)))
    assert "Decided by people's labels, each requirement with 99% confidence" in confirmed
    # Also where the verdict is another one, so it does not say that anything is confirmed.
    assert "This is confirmation 2, at seeds" in confirmed and "Exploratory" not in confirmed


def test_a_quick_run_proves_nothing(inputs: ReportInputs) -> None:
    assert "proves nothing" in verdict_sentence(replace(inputs, verdict={**inputs.verdict, "exploratory": True}))


def test_four_numbers_have_intervals(inputs: ReportInputs) -> None:
    before, after, change, elsewhere = numbers(inputs)
    # 4 of 5 images, by scipy's Wilson interval.
    assert before.value == "80.0%" and before.interval == "95% interval 37.6 to 96.4%; 4 of 5"
    assert after.value == "20.0%" and change.value == "-60.0 points" and "-70.0 to -50.0 points" in change.interval
    assert elsewhere.value == "+1.0 points" and elsewhere.interval.endswith("2.0% before, 3.0% after")


@pytest.mark.parametrize("step", range(40))
def test_printed_rates_subtract(step: int) -> None:
    base, tuned = 0.789 + step / 997, 0.1025 + step / 4001
    rates = {"base": base, "tuned": tuned, "delta": tuned - base}
    printed = change_text(rates)
    assert re.fullmatch(r"[+-]\d+\.\d points", printed)
    assert float(printed.split()[0]) == pytest.approx(float(f"{tuned:.1%}"[:-1]) - float(f"{base:.1%}"[:-1]))


def test_a_bound_never_reads_as_the_threshold_that_it_misses() -> None:
    assert bound_text("target_rate", {"bound": 0.14959, "threshold": 0.15}) == "at most 14.959%"
    assert bound_text("diversity", {"bound": 0.70041, "threshold": 0.7}) == "at least 0.7004"


def test_a_bound_is_rounded_away_from_the_data() -> None:
    rate, drop = {"threshold": 0.15}, {"threshold": -0.3}
    assert bound_text("target_rate", rate | {"bound": 0.1142}) == "at most 11.5%"
    assert bound_text("target_rate", rate | {"bound": 0.114}) == "at most 11.4%"
    assert bound_text("target_rate", rate | {"bound": 0.1748, "passed": False}) == "at least 17.4%"
    assert bound_text("target_drop", drop | {"bound": -0.6899}) == "at most -68.9 points"
    assert bound_text("diversity", {"bound": 0.8988, "threshold": 0.7}) == "at least 0.89"


def test_missing_rates_have_their_reason(inputs: ReportInputs) -> None:
    words = [number.value for number in numbers(replace(inputs, compare={}))]
    assert all(text == "n/a (not measured)" for text in words)


def test_a_bound_of_another_confidence_than_the_level_says_so() -> None:
    """A clause that fails is bounded at a share of the error, since any of them may fail."""
    copies = {"passed": False, "figure": 0.586, "bound": 0.506, "confidence": 0.99375, "threshold": 0.1}
    rate = {"passed": True, "figure": 0.074, "bound": 0.107, "confidence": 0.95, "threshold": 0.15}
    table = clause_table({"clauses": {"memorisation": copies, "target_rate": rate}})
    assert [row[3] for row in table.rows] == ["at least 50.6% (99.37%)", "at most 10.7%"]
    assert measured("memorisation", copies, {}, 0.95) == "measured: 58.6%, at best 50.6% with 99.37% confidence"
