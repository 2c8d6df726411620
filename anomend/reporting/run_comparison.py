"""Several runs side by side on one page: verdict, numbers, what differs in their parameters, and pictures."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from anomend.reporting.clauses import CLAUSES
from anomend.reporting.formatting import change_text, flatten, interval_text, metric_text, number_text
from anomend.reporting.opening import VERDICTS
from anomend.reporting.tables import OUTCOMES, Table
from anomend.reporting.templating import html_environment

READS = ("templates/runs.html.jinja", "templates/macros.html.jinja", "templates/style.css", "templates/runs.css")
"""Files that this module reads: a change of them is a change of its code."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """The results of one run, as git has them."""

    name: str
    """Name of the experiment, branch or commit."""
    date: str
    verdict: Mapping[str, Any]
    compare: Mapping[str, Any]
    parameters: Mapping[str, Any]
    """The resolved parameters, section by section."""
    picture: bytes | None = None
    """PNG of base and tuned images side by side."""


def comparison_page(runs: Sequence[Run]) -> str:
    """One self-contained HTML page; the first run is what the others are held against.

    Raises:
        ValueError: there are fewer than two runs.
    """
    if len(runs) < 2:
        raise ValueError(f"{len(runs)} run to compare: name two or more, such as RUNS='main my-experiment'")
    pictures = {
        run.name: "data:image/png;base64," + base64.b64encode(run.picture).decode() for run in runs if run.picture
    }
    template = html_environment().get_template("runs.html.jinja")
    return template.render(
        runs=runs,
        verdicts=[(run.name, run.verdict["verdict"], VERDICTS[run.verdict["verdict"]]) for run in runs],
        numbers=number_table(runs),
        clauses=clause_rows(runs),
        parameters=parameter_rows(runs),
        pictures=pictures,
    )


def number_table(runs: Sequence[Run]) -> Table:
    """The numbers that decide, a column per run."""
    rows: list[tuple[str, ...]] = []
    for group, words in (("target", "target prompts"), ("held_out", "held-out prompts")):
        rates = [run.compare.get(f"anomaly_rate_{group}") or {"reason": "not measured"} for run in runs]
        for model, when in (("base", "before"), ("tuned", "after")):
            rows.append((f"Wrong images {when}, {words}", *(metric_text(rate, model, "rate") for rate in rates)))
        changes = (f"{change_text(rate)} ({interval_text(rate, 'points')})" for rate in rates)
        rows.append((f"Change, {words} (interval)", *changes))
    for label, key, unit in (
        ("Diversity of right images, tuned over base", "right_diversity_ratio", "ratio"),
        ("Copies of training images", "copy_rate", "rate"),
    ):
        values = (number_text(run.verdict.get(key), unit, "not measured") for run in runs)  # type: ignore[arg-type]
        rows.append((label, *values))
    return Table(("Number", *(run.name for run in runs)), tuple(rows))


def clause_rows(runs: Sequence[Run]) -> Table:
    """The outcome of each requirement, a column per run."""
    names = list(dict.fromkeys(name for run in runs for name in run.verdict["clauses"]))
    rows = []
    for name in names:
        label = CLAUSES[name].about if name in CLAUSES else name.replace("_", " ")
        clauses = [run.verdict["clauses"].get(name) for run in runs]
        rows.append((label, *("not asked" if clause is None else OUTCOMES[clause["passed"]] for clause in clauses)))
    return Table(("Requirement", *(run.name for run in runs)), tuple(rows))


def parameter_rows(runs: Sequence[Run]) -> Table:
    """The parameters in which any two of the runs differ."""
    flat = [dict(flatten(run.parameters)) for run in runs]
    names = sorted({name for parameters in flat for name in parameters})
    rows = [(name, *(parameters.get(name, "not there") for parameters in flat)) for name in names]
    differing = tuple(row for row in rows if len(set(row[1:])) > 1)
    return Table(("Parameter", *(run.name for run in runs)), differing)
