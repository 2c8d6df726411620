"""What the report shows of people's labels and of the detector's passport."""

from __future__ import annotations

from dataclasses import replace

from anomend.reporting.inputs import ReportInputs
from anomend.reporting.opening import evidence_sentences, numbers
from anomend.reporting.people import passport_table, people_table, rater_table
from anomend.reporting.render import render_report
from tests.verdict.test_people import run_of

SHARE = {"value": 0.9, "ci_low": 0.8, "ci_high": 0.95}
PASSPORT = {
    "detector": "objects:x@y",
    "base": {"pictures": 120, "sensitivity": SHARE, "specificity": SHARE},
    "tuned": {
        "pictures": 120,
        "sensitivity": {"value": None, "ci_low": None, "ci_high": None, "reason": "people found 2 such pictures"},
        "specificity": SHARE,
    },
}


def test_the_report_shows_who_decided_and_their_rates(inputs: ReportInputs) -> None:
    people = run_of(0.8, 0.05, seeds=40)
    verdict = {**inputs.verdict, "evidence": "people"}
    shown = replace(inputs, people=people, passport=PASSPORT, verdict=verdict)
    assert evidence_sentences(shown)[0].startswith("Decided by people's labels, each requirement with 95% confidence")
    _, after, change, _ = numbers(shown)
    assert after.value == f"{people['anomaly_rate_target']['tuned']:.1%}" and "raters' errors" in after.interval
    assert change.interval.endswith("80 pairs of images")
    for report in render_report(shown):
        assert "By the plain majority" in report and "90.0%; interval 80.0 to 95.0%" in report
        assert "people found 2 such pictures" in report


def test_without_labels_the_report_says_so(inputs: ReportInputs) -> None:
    shown = replace(inputs, passport={"detector": "none", "base": None, "tuned": None, "reason": "no detector ran"})
    markdown, _ = render_report(shown)
    assert "Decided by the detector" in markdown and "Not part of this run: people's labels" in markdown


def test_the_tables_say_what_was_not_seen_and_how_raters_err() -> None:
    people = run_of(0.8, 0.05, seeds=40)
    assert "0 of 480 pictures were not seen" in people_table(people).note
    assert [row[0] for row in rater_table(people).rows] == ["r1", "r2", "r3"]
    assert [row[0] for row in passport_table(PASSPORT).rows] == ["base model", "tuned model"]
