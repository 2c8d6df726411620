"""Tables of the evidence beside the verdict: the paper's Table 1, judges, survey, costs, and what the run rests on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from stages.reports.formatting import Unit, figure, figure_of, flatten, interval, reason_for
from stages.reports.inputs import Metrics
from stages.reports.tables import Table, measure_label

TABLE_1 = {"ssim": "ssim_within", "psnr": "psnr_within", "fid": "frechet_"}
"""Rows of the paper's Table 1, and which of this run's measures stands next to each (a prefix, where it ends in _)."""
TABLE_1_COLUMNS = {"published": "Published", "reproduced": "Reproduced", "corrected": "Corrected"}


def replication_table(replication: Metrics, measure_base: Metrics, measure_tuned: Metrics) -> Table:
    """Table 1 of the paper: as published, as its protocol reproduces it, computed properly, and this run's figures."""
    rows = []
    for name, own_name in TABLE_1.items():
        own = next((key for key in measure_tuned if key.startswith(own_name)), own_name.rstrip("_"))
        for model, measured in (("tuned", measure_tuned), ("base", measure_base)):
            cells = [_replicated(replication, column, name, model) for column in TABLE_1_COLUMNS]
            rows.append((f"{name.upper()}, {model}", *cells, f"{figure_of(measured, own)} ({measure_label(own)})"))
    note = (
        "Published: the paper's figures. Reproduced: its protocol on its images, errors included. Corrected: the same "
        "images, computed properly. This run: other images, so for comparison of scale only."
    )
    return Table(("Measure", *TABLE_1_COLUMNS.values(), "This run"), tuple(rows), note)


def judge_table(judges: Metrics) -> Table:
    """One row a judge."""
    rows = []
    for name, judge in judges.items():
        if name != "provenance" and isinstance(judge, Mapping):
            rows.append(
                (
                    f"{judge.get('provider', name)}: {judge.get('model', '')}",
                    figure_of(judge, "pairs", "count"),
                    f"{figure_of(judge, 'win_rate_tuned', 'rate')}; interval {interval(judge, 'rate')}",
                    figure_of(judge, "first_position_rate", "rate"),
                    figure_of(judge, "consistency", "rate"),
                    figure_of(judge, "unparsed", "count"),
                )
            )
    note = "Blind pairs in both orders; a tie counts half. 50% for the first position means no liking for a place."
    columns = ("Judge", "Pairs", "Prefers tuned", "Prefers first position", "Same in both orders", "Unparsed")
    return Table(columns, tuple(rows), note)


def survey_table(survey: Metrics) -> Table:
    """The survey's figures, one a row."""
    figures: tuple[tuple[str, str, Unit], ...] = (
        ("Participants", "n", "count"),
        ("Votes", "votes", "count"),
        ("Prefer the tuned image (unsure counts half)", "win_rate_tuned", "rate"),
        ("Sign test over pairs, p", "p_sign", "p"),
        ("Choose the left image", "left_choice_rate", "rate"),
        ("Fleiss' kappa", "fleiss_kappa", "number"),
        ("Krippendorff's alpha", "krippendorff_alpha", "number"),
    )
    rows = [(label, figure_of(survey, key, unit)) for label, key, unit in figures]
    rows.insert(3, ("95% interval of that", interval(survey, "rate")))
    caution = survey.get("caution")
    return Table(("Figure", "Value"), tuple(rows), f"Caution: {caution}." if caution else "")


def cost_table(
    collect: Metrics | None, curate: Metrics | None, train: Metrics | None, resources: Mapping[str, Metrics] | None
) -> Table:
    """What the run cost: money, images, steps, and where given time and memory of each stage."""
    rows: list[tuple[str, str]] = []
    if collect is not None:
        spend = collect.get("spend_usd")
        reason = reason_for(collect, "spend_usd")
        rows.append(("Spent on images", figure(None, reason=reason) if spend is None else f"{spend:.2f} USD"))
        rows.append(("Images collected", figure_of(collect, "images", "count")))
        rows.append(("Requests paid", figure_of(collect, "requests_paid", "count")))
        rows.append(("Requests answered from the store", figure_of(collect, "requests_from_store", "count")))
    if curate is not None:
        rows.append(("Images kept for training", figure_of(curate, "kept", "count")))
        rows.append(("Images rejected", figure_of(curate, "rejected", "count")))
    if train is not None:
        rows += [(f"Training: {key.replace('_', ' ')}", text) for key, text in _scalars(train)]
    for stage, used in (resources or {}).items():
        peak = used.get("peak_memory_bytes")
        memory = (
            figure(None, reason=reason_for(used, "peak_memory_bytes")) if peak is None else f"{peak / 2**20:.0f} MiB"
        )
        rows.append((f"Stage {stage}", f"{figure_of(used, 'seconds')} s, {memory} at most"))
    return Table(("Item", "Value"), tuple(rows))


def key_value_table(values: Mapping[str, Any], key: str = "Item", value: str = "Value") -> Table:
    """A nested mapping as dotted keys and values."""
    return Table((key, value), tuple(flatten(values)))


def _scalars(metrics: Metrics) -> Iterator[tuple[str, str]]:
    for key, value in metrics.items():
        if isinstance(value, bool) or isinstance(value, str):
            yield key, {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else value
        elif value is None or isinstance(value, float):
            yield key, figure_of(metrics, key)
        elif isinstance(value, int):
            yield key, str(value) if key.endswith("seed") else f"{value:,}"


def _replicated(replication: Metrics, column: str, name: str, model: str) -> str:
    """A figure of replication.json, whether its keys are nested or dotted."""
    holder: Any = replication
    for key in (column, name):
        holder = holder.get(key, {}) if isinstance(holder, Mapping) else {}
    if isinstance(holder, Mapping) and model in holder:
        return figure_of(holder, model)
    dotted = f"{column}.{name}.{model}"
    if dotted in replication:
        return figure_of(replication, dotted)
    return figure(None, reason=(holder.get("reason") if isinstance(holder, Mapping) else None) or "not computed")
