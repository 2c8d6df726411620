"""The shoot-out of methods, at several training seeds and at seeds of its own: `make methods`.

Each run is made by the pipeline in a clone (`.methods`), which shares DVC's cache and the store of samples. Existing
rows of `studies/experiments/methods.csv` are kept, so an interrupted call goes on where it stopped.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from anomend.verdict.claims import Thresholds, claims
from anomend.verdict.clauses import decide
from anomend.verdict.evidence import read_findings
from studies.experiments.clone_runs import CloneRuns
from studies.experiments.method_settings import METHODS
from studies.experiments.methods_page import FOLDER, write_page

TABLE = FOLDER / "methods.csv"
SCRATCH = Path(".methods")


def run(name: str, train_seed: int) -> dict[str, Any]:
    """Run one method at one training seed, and read what came of it.

    Raises:
        subprocess.CalledProcessError: the run failed; its messages were printed.
    """
    method, runs = METHODS[name], CloneRuns(Path.cwd(), SCRATCH.resolve())
    runs.prepare()
    settings = method.all_settings(train_seed, SCRATCH.resolve())
    # What training reads is made before it, so that it is not among the seconds of training.
    reads = ["encode"] if method.costs else []
    stages = [*method.costs[:-1], *reads, *method.costs[-1:], "sample_base", "sample_tuned", "verdict"]
    seconds = runs.run(settings, stages, timed=method.costs)
    verdict, curate, compare = runs.metrics("verdict"), runs.metrics("curate"), runs.metrics("compare")
    tuned, sampled, clauses = runs.metrics("measure_tuned"), runs.metrics("sample_tuned"), verdict["clauses"]
    bounds = bounds_of(compare, tuned, Thresholds(**verdict["provenance"]["thresholds"]))
    return {
        "method": name,
        "train_seed": train_seed,
        "target_base": verdict["target_anomaly_rate_base"],
        "target_tuned": verdict["target_anomaly_rate_tuned"],
        "target_upper": bounds["target_rate"],
        "worst_prompt": clauses["worst_target_prompt"]["figure"],
        "new_kinds": clauses["new_kinds"]["figure"],
        "new_kinds_upper": bounds["new_kinds"],
        "held_out_rise": clauses["held_out"]["figure"],
        "held_out_upper": bounds["held_out"],
        "diversity_right": clauses["diversity"]["figure"],
        "diversity_right_low": bounds["diversity"],
        "copies": verdict["copy_rate"],
        "instance_images": curate["kept"] if method.learns_from_instances else 0,
        "labels": method.labels,
        "seconds_train": round(sum(seconds[stage] for stage in method.costs), 1),
        "seconds_sample": seconds.get("sample_tuned"),
        "images": sampled["images"],
        "images_drawn": sampled.get("images_drawn", sampled["images"]),
        "target_images": tuned["provenance"]["n_target"],
        "held_out_images": compare["anomaly_rate_held_out"]["n"],
        "verdict": verdict["verdict"],
        "failed": " ".join(key for key, clause in clauses.items() if clause["passed"] is False),
        "unsettled": " ".join(key for key, clause in clauses.items() if clause["passed"] is None),
        "lora_sha256": runs.metrics("train").get("lora_sha256"),
        "code": runs.code(),
    }


def bounds_of(compare: Mapping[str, Any], tuned: Mapping[str, Any], thresholds: Thresholds) -> dict[str, float | None]:
    """By clause, how far from its limit the truth may be at worst. The verdict's own bound is at best where one fails.

    Args:
        compare: the content of metrics/compare.json.
        tuned: that of metrics/measure_tuned.json.
        thresholds: the run's, with its level.
    """
    found = claims(read_findings(compare, tuned), thresholds)
    return {name: decide(claim, 1.0, claim.error, shown=True).bound for name, claim in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seeds", type=int, nargs="+")
    parser.add_argument("--methods", nargs="+", choices=tuple(METHODS), default=list(METHODS))
    parser.add_argument("--again", action="store_true", help="also run what is in the table")
    chosen = parser.parse_args()
    rows = pd.read_csv(TABLE) if TABLE.exists() else pd.DataFrame(columns=["method", "train_seed"])
    for name in chosen.methods:
        for seed in chosen.seeds:
            there = (rows["method"] == name) & (rows["train_seed"] == seed)
            if there.any() and not chosen.again:
                continue
            row = pd.DataFrame([run(name, seed)])
            rows = pd.concat([rows[~there], row], ignore_index=True) if len(rows) else row
            order = {method: number for number, method in enumerate(METHODS)}
            rows = rows.sort_values(["method", "train_seed"], key=lambda column: column.map(order).fillna(column))
            rows.to_csv(TABLE, index=False, lineterminator="\n")
            write_page(rows)


if __name__ == "__main__":
    main()
