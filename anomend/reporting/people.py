"""What people's labels of single pictures say, as tables of the report and as the first line of its answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anomend.project.model_words import BASE_AND_TUNED, ModelWords
from anomend.reporting.formatting import interval_text, metric_text, number_text
from anomend.reporting.inputs import Metrics
from anomend.reporting.tables import Table

GROUPS = (("target", "Target prompts"), ("held_out", "Held-out prompts"))
SIBLINGS = ("siblings", "Siblings of the target")
"""Of runs that have some."""


def people_table(people: Metrics, words: ModelWords = BASE_AND_TUNED) -> Table:
    """The rates of wrong pictures by people's labels, corrected for the raters' errors."""
    rows = []
    for group, label in (*GROUPS, *([SIBLINGS] if "anomaly_rate_siblings" in people else [])):
        rate = people.get(f"anomaly_rate_{group}") or {}
        change = metric_text(rate, "delta", "points")
        if rate.get("ci_low") is not None:
            change += f"; interval {interval_text(rate, 'points')}"
        size = f"{metric_text(rate, 'pairs', 'count')}"
        majority = " to ".join(number_text(rate.get(f"majority_{model}"), "rate") for model in ("base", "tuned"))
        rows.append(
            (label, metric_text(rate, "base", "rate"), metric_text(rate, "tuned", "rate"), change, size, majority)
        )
    return Table(
        ("Prompts", *words.heads(), "Change", "Labelled pairs", "By the plain majority"), tuple(rows), _note(people)
    )


def rater_table(people: Metrics) -> Table:
    """Each rater's labels and estimated errors."""
    rows = tuple(
        (
            str(row["rater"]),
            f"{row['labels']:,}",
            *(number_text(row[key], "rate") for key in ("sensitivity", "specificity", "error")),
        )
        for row in people.get("raters", [])
    )
    note = "Sensitivity: share of wrong pictures that the rater calls wrong. Specificity: share of right ones in which "
    return Table(
        ("Rater", "Labels", "Sensitivity", "Specificity", "Error"),
        rows,
        f"{note}nothing is found. Estimated from all raters' answers together (Dawid and Skene).",
    )


def passport_table(passport: Metrics, words: ModelWords = BASE_AND_TUNED) -> Table:
    """How often the detector is right about this run's pictures, model by model."""
    rows: list[tuple[str, str, str, str]] = []
    for model in ("base", "tuned"):
        entry = passport.get(model)
        if entry:
            cells = (_with_interval(entry["sensitivity"]), _with_interval(entry["specificity"]))
            rows.append((words.full(model), *cells, f"{entry['pictures']:,}"))
    about = f"Detector {passport.get('detector', '')}, by people's labels, corrected for the raters' errors."
    if not rows:
        rows.append(("none", str(passport.get("reason", "it was not computed")), "", ""))
    return Table(("Pictures of", "Sensitivity", "Specificity", "Labelled"), tuple(rows), about)


def decided_by(verdict: Metrics) -> str:
    """The evidence of the verdict, in words for the report's first line."""
    words = {
        "detector": "decided by the detector",
        "people": "decided by people's labels",
        "people+machine": "decided by people's labels and the detector",
    }
    return words.get(str(verdict.get("evidence", "detector")), "")


def _with_interval(entry: Mapping[str, Any]) -> str:
    value = metric_text(entry, "value", "rate")
    return value if entry.get("ci_low") is None else f"{value}; interval {interval_text(entry, 'rate')}"


def _note(people: Metrics) -> str:
    agreement, repeats = people.get("agreement") or {}, people.get("repeats") or {}
    sentences = [
        f"{metric_text(people, 'labels', 'count')} labels by {metric_text(people, 'n', 'count')} raters; "
        f"{metric_text(people, 'not_seen', 'count')} of {metric_text(people, 'pictures', 'count')} pictures were not "
        "seen, and count neither as right nor as wrong.",
        f"Krippendorff's alpha: {metric_text(agreement, 'krippendorff_alpha', 'number')}.",
    ]
    if agreement.get("ci_low") is not None:
        sentences[-1] = f"{sentences[-1][:-1]}; interval {interval_text(agreement, 'number')}."
    if repeats.get("n"):
        sentences.append(f"Same answer to a picture shown again: {metric_text(repeats, 'consistency', 'rate')}.")
    saved = [int((people.get(f"anomaly_rate_{group}") or {}).get("labels_saved") or 0) for group, _ in GROUPS]
    if any(saved):
        sentences.append(
            f"The detector saved about {saved[0]:,} labels of target and {saved[1]:,} of held-out pictures."
        )
    return " ".join(sentences)
