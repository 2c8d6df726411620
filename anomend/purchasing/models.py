"""Models that were switched off: refused before any request, with the names of their successors."""

from __future__ import annotations

import csv
from pathlib import Path


def refuse_retired(model: str, parameter: str, table: Path) -> None:
    """Refuse a model that its provider has switched off.

    Args:
        model: its id.
        parameter: the parameter that names it, for the message.
        table: CSV file with the columns model, retired (a date) and successors.

    Raises:
        ValueError: it is retired.
    """
    with table.open(newline="") as file:
        for row in csv.DictReader(file):
            if row["model"] == model:
                raise ValueError(
                    f"{parameter} = {model!r} was retired on {row['retired']}: use {row['successors']} instead"
                )
