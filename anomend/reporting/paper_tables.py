"""The paper's Tables 1 and 2, as published, reproduced and corrected, next to this run."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from anomend.reporting.formatting import figure, figure_of, interval, reason_for
from anomend.reporting.inputs import Metrics
from anomend.reporting.tables import Table, figures_of, measure_label

TABLE_1 = {
    "ssim": ("ssim_within",),
    "psnr": ("psnr_within",),
    "fid": ("inception.fid", "frechet_efficientnet_lite0", "frechet_"),
}
"""Rows of the paper's Table 1, and which of this run's figures stands next to each: the first that is there, by name
or by how it begins; one that is null gives way to one that is not."""
TABLE_1_COLUMNS = {"published": "Published", "reproduced": "Reproduced", "corrected": "Corrected"}


def replication_table(replication: Metrics, measure_base: Metrics, measure_tuned: Metrics) -> Table:
    """Table 1 of the paper: as published, as its protocol reproduces it, computed properly, and this run's figures."""
    rows, meanings = [], []
    for name, own_names in TABLE_1.items():
        own = _own(measure_tuned, own_names)
        found = [replication.get(column, {}).get(name, {"reason": "not computed"}) for column in TABLE_1_COLUMNS]
        this = _this_run(measure_base, measure_tuned, own)
        rows.append((name.upper(), *map(_both_models, found), f"{_both_models(this)}; {measure_label(own)}"))
        meanings += [f"{name.upper()}: {figures['meaning']}." for figures in found if figures.get("meaning")]
    for name, distance in replication.get("distances", {}).items():
        # What FID is about, at ten images: an unbiased distance to the instance images, by the same extractor as here.
        if name.startswith("kernel_") and name in measure_tuned:
            absent = figure(None, reason="not in the paper")
            this = _this_run(measure_base, measure_tuned, name)
            rows.append((measure_label(name), absent, absent, _both_models(distance), _both_models(this)))
    note = (
        "Published: the paper's figures. Reproduced: its protocol on its images, errors included. Corrected: the same "
        "images, computed properly. This run: another model's images, within each prompt; not to be compared with the "
        "paper's figure by figure."
    )
    return Table(("Measure", *TABLE_1_COLUMNS.values(), "This run"), tuple(rows), " ".join([note, *meanings]))


def _own(measured: Metrics, wanted: Sequence[str]) -> str:
    """Dotted name of the figure that is wanted most."""
    # Table 1 is about the target prompts.
    figures = {name: own for name, own in figures_of(measured) if not name.endswith("_held_out")}
    found = [name for start in wanted for name in figures if name.startswith(start)]
    computed = [name for name in found if figures[name].get(name.split(".")[-1]) is not None]
    return next(iter([*computed, *found]), wanted[0])


def _this_run(measure_base: Metrics, measure_tuned: Metrics, name: str) -> Metrics:
    key = name.split(".")[-1]
    base, tuned = (dict(figures_of(measured)).get(name, {}) for measured in (measure_base, measure_tuned))
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
            f"{found['tuned']} of {found['tuned'] + found['base']}",
            interval(found, "rate"),
            figure_of(found, "p_holm", "p"),
        )
        for name, found in pairs.items()
    ]
    rows.append(
        (
            "all",
            f"{figure_of(table2, 'votes_tuned', 'count')} of {figure_of(table2, 'votes', 'count')}",
            interval(table2, "rate"),
            f"{figure_of(table2, 'p_sign', 'p')} (over prompts)",
        )
    )
    kappa = f"Fleiss' kappa {figure_of(table2, 'fleiss_kappa')}"
    note = f"{figure_of(table2, 'n', 'count')} participants; {kappa}. {table2.get('confound', '')}"
    return Table(("Prompt", "Votes for the tuned image", "95% interval", "p, sign test, by Holm"), tuple(rows), note)


def preference_table(
    replication: Metrics | None, paper_judges: pd.DataFrame | None, judges: Metrics | None, survey: Metrics | None
) -> Table:
    """Who prefers the tuned model's images: in the paper, and in this run."""
    published = {"reason": "not computed"} if replication is None else replication.get("table2", {})
    rows = [("People", _votes(published), _votes(survey or {"reason": "no survey in this run"}))]
    here = {name: judge for name, judge in (judges or {}).items() if isinstance(judge, Mapping) and "pairs" in judge}
    told = [] if paper_judges is None else paper_judges.to_dict("records")
    for row in told:
        own = {name: judge for name, judge in here.items() if judge.get("provider") == row["provider"]}
        found = "; ".join(map(_judged, own.values())) or "n/a (not asked in this run)"
        rows.append((str(row["judge"]), _published(row), found))
        here = {name: judge for name, judge in here.items() if name not in own}
    rows += [(f"Judge {name}", "n/a (not in the paper)", _judged(judge)) for name, judge in here.items()]
    return Table(("Asked", "In the paper: prefer the tuned image", "In this run"), tuple(rows))


def _votes(found: Metrics) -> str:
    if found.get("win_rate_tuned") is None:
        return figure(None, reason=reason_for(found, "win_rate_tuned"))
    rate, votes = figure_of(found, "win_rate_tuned", "rate"), figure_of(found, "votes", "count")
    return f"{rate} of {votes} votes (interval {interval(found, 'rate')})"


def _published(row: Mapping[Hashable, Any]) -> str:
    return f"{row['prefers_tuned'] / row['pairs']:.1%} of {row['pairs']} pairs"


def _judged(judge: Metrics) -> str:
    rate = figure_of(judge, "win_rate_tuned", "rate")
    if judge.get("win_rate_tuned") is None:
        return rate
    pairs = figure_of(judge, "pairs", "count")
    return f"{rate} of {pairs} pairs (interval {interval(judge, 'rate')}), by {judge.get('model', 'unknown')}"


def _both_models(figures: Metrics) -> str:
    if figures.get("tuned") is None and figures.get("base") is None:
        return figure(None, reason=figures.get("reason"))
    text = f"tuned {figure_of(figures, 'tuned')}, base {figure_of(figures, 'base')}"
    return text if figures.get("p") is None else f"{text}, p {figure_of(figures, 'p', 'p')}"
