"""The paper's Tables 1 and 2, as published, reproduced and corrected, next to this run."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from anomend.project.model_words import BASE_AND_TUNED, ModelWords
from anomend.reporting.formatting import interval_text, metric_text, number_text, reason_for
from anomend.reporting.inputs import Metrics
from anomend.reporting.measures import measure_label
from anomend.reporting.tables import Table, metrics_by_name

TABLE_1 = {
    "ssim": ("ssim_within",),
    "psnr": ("psnr_within",),
    "fid": ("inception.fid", "frechet_efficientnet_lite0", "frechet_"),
}
"""Rows of the paper's Table 1, and which of this run's metrics is next to each: the first whose name begins so and that
is not null, else the first whose name begins so."""
TABLE_1_COLUMNS = {"published": "Published", "reproduced": "Reproduced", "corrected": "Corrected"}


def replication_table(
    replication: Metrics, measure_base: Metrics, measure_tuned: Metrics, words: ModelWords = BASE_AND_TUNED
) -> Table:
    """Table 1 of the paper: as published, as its protocol reproduces it, computed properly, and this run's metrics."""
    rows, meanings = [], []
    for name, beginnings in TABLE_1.items():
        counterpart = _counterpart(measure_tuned, beginnings)
        values = [replication.get(column, {}).get(name, {"reason": "not computed"}) for column in TABLE_1_COLUMNS]
        this = _this_run(measure_base, measure_tuned, counterpart)
        rows.append(
            (name.upper(), *map(_both_models, values), f"{_both_models(this, words)}; {measure_label(counterpart)}")
        )
        meanings += [f"{name.upper()}: {value['meaning']}." for value in values if value.get("meaning")]
    for name, distance in replication.get("distances", {}).items():
        # What FID is about, at ten images: an unbiased distance to the instance images, by the same extractor as here.
        if name.startswith("kernel_") and name in measure_tuned:
            absent = number_text(None, reason="not in the paper")
            this = _this_run(measure_base, measure_tuned, name)
            rows.append((measure_label(name), absent, absent, _both_models(distance), _both_models(this, words)))
    note = (
        "Published: the paper's numbers. Reproduced: its protocol on its images, errors included. Corrected: the same "
        "images, computed properly. This run: another model's images, within each prompt; not to be compared with "
        "the paper's numbers one by one."
    )
    return Table(("Measure", *TABLE_1_COLUMNS.values(), "This run"), tuple(rows), " ".join([note, *meanings]))


def _counterpart(measured: Metrics, beginnings: Sequence[str]) -> str:
    """Dotted name of this run's metric that is closest to the paper's."""
    # Table 1 is about the target prompts.
    metrics = {name: holder for name, holder in metrics_by_name(measured) if not name.endswith("_held_out")}
    matching = [name for beginning in beginnings for name in metrics if name.startswith(beginning)]
    computed = [name for name in matching if metrics[name].get(name.split(".")[-1]) is not None]
    return next(iter([*computed, *matching]), beginnings[0])


def _this_run(measure_base: Metrics, measure_tuned: Metrics, name: str) -> Metrics:
    key = name.split(".")[-1]
    base, tuned = (dict(metrics_by_name(measured)).get(name, {}) for measured in (measure_base, measure_tuned))
    return {"tuned": tuned.get(key), "base": base.get(key), "reason": reason_for(tuned, key) or "not measured"}


def vote_table(replication: Metrics) -> Table | None:
    """Table 2 of the paper, prompt by prompt; None where it was not computed."""
    table2: Metrics = replication.get("table2", {})
    pairs: Mapping[str, Metrics] = table2.get("by_pair", {})
    if not pairs:
        return None
    rows = [
        (
            name,
            f"{votes['tuned']} of {votes['tuned'] + votes['base']}",
            interval_text(votes, "rate"),
            metric_text(votes, "p_holm", "p"),
        )
        for name, votes in pairs.items()
    ]
    rows.append(
        (
            "all",
            f"{metric_text(table2, 'votes_tuned', 'count')} of {metric_text(table2, 'votes', 'count')}",
            interval_text(table2, "rate"),
            f"{metric_text(table2, 'p_sign', 'p')} (over prompts)",
        )
    )
    kappa = f"Fleiss' kappa {metric_text(table2, 'fleiss_kappa')}"
    note = f"{metric_text(table2, 'n', 'count')} participants; {kappa}. {table2.get('confound', '')}"
    return Table(("Prompt", "Votes for the tuned image", "95% interval", "p, sign test, by Holm"), tuple(rows), note)


def preference_table(
    *, replication: Metrics | None, paper_judges: pd.DataFrame | None, judges: Metrics | None, survey: Metrics | None
) -> Table:
    """How often people and judges prefer the tuned model's images: in the paper, and in this run."""
    published = {"reason": "not computed"} if replication is None else replication.get("table2", {})
    rows = [("People", _votes(published), _votes(survey or {"reason": "no survey in this run"}))]
    here = {name: judge for name, judge in (judges or {}).items() if isinstance(judge, Mapping) and "pairs" in judge}
    for row in [] if paper_judges is None else paper_judges.to_dict("records"):
        counterparts = {name: judge for name, judge in here.items() if judge.get("provider") == row["provider"]}
        preferences = "; ".join(map(_judged, counterparts.values())) or "n/a (not asked in this run)"
        rows.append((str(row["judge"]), _published(row), preferences))
        here = {name: judge for name, judge in here.items() if name not in counterparts}
    rows += [(f"Judge {name}", "n/a (not in the paper)", _judged(judge)) for name, judge in here.items()]
    return Table(("Rater", "In the paper: prefer the tuned image", "In this run"), tuple(rows))


def _votes(survey: Metrics) -> str:
    if survey.get("win_rate_tuned") is None:
        return number_text(None, reason=reason_for(survey, "win_rate_tuned"))
    rate, votes = metric_text(survey, "win_rate_tuned", "rate"), metric_text(survey, "votes", "count")
    return f"{rate} of {votes} votes (interval {interval_text(survey, 'rate')})"


def _published(row: Mapping[Hashable, Any]) -> str:
    return f"{row['prefers_tuned'] / row['pairs']:.1%} of {row['pairs']} pairs"


def _judged(judge: Metrics) -> str:
    rate = metric_text(judge, "win_rate_tuned", "rate")
    if judge.get("win_rate_tuned") is None:
        return rate
    pairs = metric_text(judge, "pairs", "count")
    return f"{rate} of {pairs} pairs (interval {interval_text(judge, 'rate')}), by {judge.get('model', 'unknown')}"


def _both_models(values: Metrics, words: ModelWords = BASE_AND_TUNED) -> str:
    if values.get("tuned") is None and values.get("base") is None:
        return number_text(None, reason=values.get("reason"))
    text = f"{words.tuned} {metric_text(values, 'tuned')}, {words.base} {metric_text(values, 'base')}"
    return text if values.get("p") is None else f"{text}, p {metric_text(values, 'p', 'p')}"
