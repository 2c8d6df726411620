"""Tables of the evidence beside the verdict: the paper's Table 1, judges, survey, costs, and what the run rests on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from stages.reports.formatting import Unit, figure, figure_of, flatten, interval, reason_for, reasons_once
from stages.reports.inputs import Metrics
from stages.reports.tables import Table, measure_label

TABLE_1 = {"ssim": "ssim_within", "psnr": "psnr_within", "fid": "frechet_"}
"""Rows of the paper's Table 1, and which of this run's measures stands next to each (a prefix, where it ends in _)."""
TABLE_1_COLUMNS = {"published": "Published", "reproduced": "Reproduced", "corrected": "Corrected"}


def replication_table(replication: Metrics, measure_base: Metrics, measure_tuned: Metrics) -> Table:
    """Table 1 of the paper: as published, as its protocol reproduces it, computed properly, and this run's figures."""
    rows, meanings = [], []
    for name, own_name in TABLE_1.items():
        own = next((key for key in _figures(measure_tuned) if key.startswith(own_name)), own_name.rstrip("_"))
        found = [replication.get(column, {}).get(name, {"reason": "not computed"}) for column in TABLE_1_COLUMNS]
        this = {
            "tuned": measure_tuned.get(own),
            "base": measure_base.get(own),
            "reason": reason_for(measure_tuned, own),
        }
        rows.append((name.upper(), *map(_both_models, found), f"{_both_models(this)}; {measure_label(own)}"))
        meanings += [f"{name.upper()}: {figures['meaning']}." for figures in found if figures.get("meaning")]
    note = (
        "Published: the paper's figures. Reproduced: its protocol on its images, errors included. Corrected: the same "
        "images, computed properly. This run: other images, so for comparison of scale only."
    )
    return Table(("Measure", *TABLE_1_COLUMNS.values(), "This run"), tuple(rows), " ".join([note, *meanings]))


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
    labelled = [(label, figure_of(survey, key, unit)) for label, key, unit in figures]
    labelled.insert(3, ("95% interval of that", interval(survey, "rate")))
    labels, values = zip(*labelled, strict=True)
    rows = zip(labels, reasons_once(values), strict=True)
    caution = survey.get("caution")
    return Table(("Figure", "Value"), tuple(rows), f"Caution: {caution}." if caution else "")


def agreement_table(agreement: Metrics) -> Table:
    """One row for every two raters."""
    rows = []
    for name, found in agreement.items():
        if "__" in name:
            kappa = figure_of(found, "kappa", "number")
            rows.append(
                (
                    " and ".join(rater_label(rater) for rater in name.split("__")),
                    figure_of(found, "n", "count"),
                    figure_of(found, "agreement", "rate"),
                    f"{kappa}; interval {interval(found, 'number')}" if found.get("ci_low") is not None else kappa,
                    figure_of(found, "rank_correlation", "number"),
                )
            )
    people = agreement.get("people", {})
    note = "Kappa (Cohen): 1 is full agreement, 0 chance. Rank correlation: Kendall's tau-b over the pairs' scores."
    if people.get("n") == 0:
        note += f" People: {people.get('reason', 'nobody has answered')}."
    return Table(("Raters", "Pairs", "Same choice", "Kappa", "Rank correlation"), tuple(rows), note)


def rater_label(rater: str) -> str:
    """`judge_anatomy` -> `judge: anatomy`."""
    kind, _, name = rater.partition("_")
    return f"{kind}: {name.replace('_', ' ')}" if name else kind


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
    for key in _figures(metrics):
        value = metrics[key]
        if isinstance(value, bool):
            yield key, "yes" if value else "no"
        elif isinstance(value, str):
            yield key, value
        elif value is None or isinstance(value, float):
            yield key, figure_of(metrics, key)
        elif isinstance(value, int):
            yield key, str(value) if key.endswith("seed") else f"{value:,}"


def _figures(metrics: Metrics) -> list[str]:
    return [key for key in metrics if not key.endswith(("reason", "warning"))]


def _both_models(figures: Metrics) -> str:
    if figures.get("tuned") is None and figures.get("base") is None:
        return figure(None, reason=figures.get("reason"))
    text = f"tuned {figure_of(figures, 'tuned')}, base {figure_of(figures, 'base')}"
    return text if figures.get("p") is None else f"{text}, p {figure_of(figures, 'p', 'p')}"
