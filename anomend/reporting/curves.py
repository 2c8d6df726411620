"""The curves that a training left, for its charts."""

from __future__ import annotations

from pathlib import Path

import pandas as pd


def read_curves(folder: Path) -> pd.DataFrame:
    """The curves that were logged each step, joined on `step`: loss, learning_rate, prior_loss and so on."""
    tables = []
    for path in sorted((folder / "plots" / "metrics").glob("*.tsv")):
        table = pd.read_csv(path, sep="\t").set_index("step")
        tables.append(table)
    return pd.concat(tables, axis=1).sort_index().reset_index() if tables else pd.DataFrame(columns=["step"])
