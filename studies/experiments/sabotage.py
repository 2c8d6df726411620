"""Sham corrections and the honest one: does the verdict tell them apart? `make sabotage`.

Each case is run at each training seed as a DVC experiment in a temporary workspace (`dvc exp run --temp`); what it
shares with the committed run comes from the cache. Existing rows of `studies/experiments/sabotage.csv` are kept, so an
interrupted call continues where it stopped; `--again` runs all cases again (their training comes from DVC's run cache).
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dvc.api
import pandas as pd
from scipy.stats import binomtest

from anomend.project.files import sha256_of
from anomend.project.paths import CODE
from studies.experiments.sabotage_cases import CASES, HIDDEN, SHAMS

FOLDER = Path("studies/experiments")
TABLE = FOLDER / "sabotage.csv"
LOOKS = "verdict.looks=[0.2, 0.4, 0.5, 0.6, 0.8, 1.0]"
"""A verdict that is settled needs no more images; what it errs is the same (docs/verdict.md)."""


def run(case: str, seed: int) -> dict[str, Any]:
    """Run one case at one training seed and read its verdict.

    Raises:
        subprocess.CalledProcessError: the run failed; its messages were printed.
    """
    name = f"sabotage-{case.replace('_', '-')}-{seed}"
    # An experiment of that name from an earlier call would stop this one; it is not an error if there is none.
    subprocess.run(["dvc", "exp", "remove", name], check=False, capture_output=True)
    changes = [f"train.seed={seed}", LOOKS, *CASES[case]()]
    options = [argument for change in changes for argument in ("-S", change)]
    subprocess.run(["dvc", "exp", "run", "--temp", "--name", name, *options, "verdict"], check=True, text=True)
    verdict = dvc.api.metrics_show("metrics/verdict.json", rev=name)
    compared = json.loads(dvc.api.read("metrics/compare.json", rev=name))
    # DVC leaves out values that are null in the file.
    passed = {key: clause.get("passed") for key, clause in verdict["clauses"].items()}
    decided = [key for key, outcome in passed.items() if outcome is False]
    unsettled = [key for key, outcome in passed.items() if outcome is None]
    return {
        "case": case,
        "train_seed": seed,
        "verdict": verdict["verdict"],
        "failed": " ".join(decided),
        "unsettled": " ".join(unsettled),
        "kind_rise": verdict["clauses"]["new_kinds"].get("figure"),
        "hidden_kind_rise": rise_of(HIDDEN[case], compared) if case in HIDDEN else None,
        "target_base": verdict.get("target_anomaly_rate_base"),
        "target_tuned": verdict.get("target_anomaly_rate_tuned"),
        "held_out_base": verdict.get("held_out_anomaly_rate_base"),
        "held_out_tuned": verdict.get("held_out_anomaly_rate_tuned"),
        "right_diversity_ratio": verdict.get("right_diversity_ratio"),
        "copy_rate": verdict.get("copy_rate"),
        "code": sha256_of(dvc.api.read(CODE.as_posix(), rev=name))[:12],
    }


def rise_of(kind: str, compared: Mapping[str, Any]) -> float:
    """How much more often the tuned model draws a kind of anomaly than the base, by the checker that sees all of them.

    Args:
        kind: of anomaly.
        compared: the content of metrics/compare.json.
    """
    rates = compared["anomaly_rate_target"]
    of_kind = [each for each in rates["kinds"] if each["name"] == kind]
    return sum(each["only_tuned"] - each["only_base"] for each in of_kind) / rates["n"]


def write_tables(rows: pd.DataFrame) -> None:
    """The table as CSV in full and as Markdown for reading."""
    order = {case: number for number, case in enumerate(CASES)}
    rows = rows.sort_values(
        ["case", "train_seed"], key=lambda column: column.map(order) if column.name == "case" else column
    )
    rows.to_csv(TABLE, index=False, lineterminator="\n")
    lines = ["| " + " | ".join(rows.columns) + " |", "|" + "---|" * len(rows.columns)]
    for row in rows.fillna("").itertuples(index=False):
        cells = [f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row]
        lines.append("| " + " | ".join(cells) + " |")
    cases = [f"- `{case}`: {make.__doc__}" for case, make in CASES.items()]
    title = "# Sham corrections, and the honest one"
    note = (
        "Written by `make sabotage`; `sabotage.csv` has all digits. `failed`: clauses of the verdict. `kind_rise`: of\n"
        "the kind of anomaly that rose most; `hidden_kind_rise`: of the one that the reward does not see. `code`:\n"
        "digest of the pipeline's code; a row without one is of an earlier verdict."
    )
    (FOLDER / "sabotage.md").write_text("\n".join([title, "", *cases, "", note, "", summary(rows), "", *lines, ""]))


def summary(rows: pd.DataFrame) -> str:
    """How many shams were found `corrected`, and what share of such runs there may be at most."""
    verdicts = rows.loc[rows["case"].isin(SHAMS), "verdict"]
    found, runs = int((verdicts == "corrected").sum()), len(verdicts)
    bound = binomtest(found, runs, alternative="less").proportion_ci(0.95).high
    return (
        f"Of {runs} sham corrections {found} were found `corrected`: of more runs of these {len(SHAMS)} cases at most"
        f" {math.ceil(1e4 * bound) / 100:.2f}% are\n(95% confidence, Clopper and Pearson, one-sided). Rewards with a"
        " hole are not among them, for they may correct."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seeds", type=int, nargs="+")
    parser.add_argument("--cases", nargs="+", choices=tuple(CASES), default=list(CASES))
    parser.add_argument("--again", action="store_true", help="also run the cases that are in the table")
    chosen = parser.parse_args()
    rows = pd.read_csv(TABLE) if TABLE.exists() else pd.DataFrame()
    for seed in chosen.seeds:
        for case in chosen.cases:
            done = not rows.empty and bool(((rows["case"] == case) & (rows["train_seed"] == seed)).any())
            if done and not chosen.again:
                continue
            if done:
                rows = rows[~((rows["case"] == case) & (rows["train_seed"] == seed))]
            rows = pd.concat([rows, pd.DataFrame([run(case, seed)])], ignore_index=True)
            write_tables(rows)


if __name__ == "__main__":
    main()
