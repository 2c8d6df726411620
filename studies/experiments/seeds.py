"""Run the pipeline at several training seeds and write studies/experiments/seeds.csv and seeds.md: `make seeds`.

One training run can be lucky. Each seed is a DVC experiment in a temporary workspace (`dvc exp run --temp`). It shares
everything except the training with the committed run, and does not change the working tree.
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path
from typing import Any

import dvc.api
import pandas as pd

FOLDER = Path("studies/experiments")


def run_seed(seed: int) -> dict[str, Any]:
    """Run one experiment and read its metrics.

    Raises:
        subprocess.CalledProcessError: the run failed; its messages were printed.
    """
    name = f"train-seed-{seed}"
    # An experiment of that name from an earlier call would stop this one; it is not an error if there is none.
    subprocess.run(["dvc", "exp", "remove", name], check=False, capture_output=True)
    subprocess.run(["dvc", "exp", "run", "--temp", "--name", name, "-S", f"train.seed={seed}"], check=True, text=True)
    names = ("compare", "verdict", "train")
    compare, verdict, train = (dvc.api.metrics_show(f"metrics/{key}.json", rev=name) for key in names)
    target, held_out = compare["anomaly_rate_target"], compare["anomaly_rate_held_out"]
    return {
        "train_seed": train["train_seed"],
        "verdict": verdict["verdict"],
        "target_base": target["base"],
        "target_tuned": target["tuned"],
        "target_ci_low": target["ci_low"],
        "target_ci_high": target["ci_high"],
        "target_p": target["p"],
        "held_out_base": held_out["base"],
        "held_out_tuned": held_out["tuned"],
        "held_out_ci_high": held_out["ci_high"],
        "right_diversity_ratio": verdict["right_diversity_ratio"],
        "copy_rate": verdict["copy_rate"],
        "lora_sha256": train["lora_sha256"],
    }


def write_tables(rows: pd.DataFrame) -> None:
    """The table as CSV in full and as Markdown for reading."""
    rows.to_csv(FOLDER / "seeds.csv", index=False)
    head = "| " + " | ".join(rows.columns.drop("lora_sha256")) + " |"
    lines = [head, "|" + "---|" * (len(rows.columns) - 1)]
    for row in rows.drop(columns="lora_sha256").itertuples(index=False):
        cells = [f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row]
        lines.append("| " + " | ".join(cells) + " |")
    title = "# The same run at several training seeds"
    note = "Written by `make seeds`; `seeds.csv` has all digits."
    (FOLDER / "seeds.md").write_text("\n".join([title, "", note, "", *lines, ""]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seeds", type=int, nargs="+")
    write_tables(pd.DataFrame([run_seed(seed) for seed in parser.parse_args().seeds]))


if __name__ == "__main__":
    main()
