"""The page and the plot of the comparison of methods."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from anomend.verdict.clauses import outward
from studies.experiments.method_settings import METHODS

FOLDER = Path("studies/experiments")
OUTCOMES = {"corrected": ("#1f7a3d", "o"), "inconclusive": ("#b8860b", "s"), "not_corrected": ("#b3261e", "X")}
"""Colour and marker of each verdict."""
PANELS = (
    ("target_tuned", "target_upper", "anomalous target images, %", 100.0),
    ("held_out_rise", "held_out_upper", "held-out rise, points", 100.0),
    ("diversity_right", "diversity_right_low", "diversity of right images", 1.0),
    ("seconds_train", None, "training, CPU seconds", 1.0),
)
"""Column, its bound, the axis' label, and what it is multiplied by."""
HEAD = """# Methods compared

Written by `make methods`; `methods.csv` has all digits. Each run is the whole pipeline on the miniature, judged at
seeds that no recipe was chosen by. Of each figure the smallest and the largest over the training seeds are shown.
Bounds are one-sided, of the truth at worst, whether or not the clause passed: 95% (held-out: 97.5%); they are rounded
outward. Seconds are CPU seconds of all processes. Those of training are of stage `train`, in which rewards also draw
their images; for `dpo` of `losers` too, for `rejection` of `collect`, in which the base draws what it chooses from.
Class images, and the images that were labelled, are drawn once and not counted.
"""
COLUMNS: tuple[str, ...] = ("method", "runs", "target images", "held-out images")
COLUMNS += ("target rate, %", "at most, %", "worst prompt, %")
COLUMNS += ("kind that rose most, points (at most)", "held-out rise, points (at most)")
COLUMNS += ("diversity of right images (at least)", "copies, %", "instance images", "labels")
COLUMNS += ("seconds of training", "seconds per sampled image", "verdicts")


def write_page(rows: pd.DataFrame, folder: Path = FOLDER) -> None:
    """Write methods.md and methods.svg.

    Args:
        rows: one per run, as in methods.csv.
        folder: where they go.
    """
    (folder / "methods.md").write_text(page(rows))
    plot(rows, folder / "methods.svg")


def page(rows: pd.DataFrame) -> str:
    """The table for reading: a line per run, after a line about each method."""
    methods = [f"- `{name}`: {method.about}." for name, method in METHODS.items() if (rows["method"] == name).any()]
    lines = [HEAD, *methods, "", "![Anomalies, harm, diversity and seconds by method](methods.svg)", ""]
    lines += [f"| {' | '.join(COLUMNS)} |", "|" + "---|" * len(COLUMNS)]
    for name, runs in rows.groupby("method", sort=False):
        verdicts = runs["verdict"].value_counts()
        cells = [
            f"`{name}`",
            str(len(runs)),
            _range(runs["target_images"], 1, 0),
            _range(runs["held_out_images"], 1, 0),
            _range(runs["target_tuned"], 100, 2),
            _range(runs["target_upper"], 100, 2, bound="upper"),
            _range(runs["worst_prompt"], 100, 2),
            f"{_range(runs['new_kinds'], 100, 2)} ({_range(runs['new_kinds_upper'], 100, 2, bound='upper')})",
            f"{_range(runs['held_out_rise'], 100, 2)} ({_range(runs['held_out_upper'], 100, 2, bound='upper')})",
            f"{_range(runs['diversity_right'], 1, 3)} ({_range(runs['diversity_right_low'], 1, 3, bound='lower')})",
            _range(runs["copies"], 100, 2),
            _range(runs["instance_images"], 1, 0),
            _range(runs["labels"], 1, 0),
            _range(runs["seconds_train"], 1, 0),
            _range(runs["seconds_sample"] / runs["images"], 1, 2),
            ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items()),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def _range(values: pd.Series, factor: float, digits: int, *, bound: Literal["upper", "lower"] | None = None) -> str:
    """Smallest and largest of some figures; of bounds rounded outward."""
    known = values.dropna() * factor
    if known.empty:
        return ""
    ends = [known.min(), known.max()]
    if bound:
        ends = [outward(end, upper=bound == "upper", digits=digits) for end in ends]
    low, high = (f"{end:.{digits}f}" for end in ends)
    return low if low == high else f"{low} to {high}"


def plot(rows: pd.DataFrame, path: Path) -> None:
    """Each run as a mark by its verdict, with a line to its bound, method by method."""
    names = list(dict.fromkeys(rows["method"]))
    turns = rows.groupby("method").cumcount()
    with matplotlib.rc_context({"svg.hashsalt": "methods", "svg.fonttype": "none", "font.size": 9}):
        chart = Figure(figsize=(11, 0.9 + 0.42 * len(names)), layout="constrained")
        for axes, (column, bound, label, factor) in zip(
            chart.subplots(1, len(PANELS), sharey=True), PANELS, strict=True
        ):
            for row, turn in zip(rows.to_dict("records"), turns, strict=True):
                colour, marker = OUTCOMES[row["verdict"]]
                y = names.index(row["method"]) + 0.2 * (turn - 1)
                if bound:
                    axes.plot([factor * row[column], factor * row[bound]], [y, y], color=colour, linewidth=1)
                axes.plot([factor * row[column]], [y], marker, color=colour, markersize=4.5, label=row["verdict"])
            axes.set_xlabel(label)
            axes.set_yticks(range(len(names)), names)
            axes.set_ylim(len(names) - 0.5, -0.5)
            axes.grid(axis="x", alpha=0.25)
            axes.spines[["top", "right"]].set_visible(False)
        # Of the methods that do not train, 0 seconds belong on the axis as well.
        axes.set_xscale("symlog", linthresh=10)
        handles, labels = axes.get_legend_handles_labels()
        unique = dict(zip(labels, handles, strict=True))
        chart.legend(unique.values(), unique.keys(), loc="outside upper right", ncols=3, frameon=False)
        chart.savefig(path, metadata={"Date": None})
