"""Models that are gone: refused before any request, with today's names (`data/retired_models.csv`)."""

from __future__ import annotations

import csv
from pathlib import Path

RETIRED = Path("data/retired_models.csv")


def refuse_retired(model: str, parameter: str, path: Path = RETIRED) -> None:
    """Refuse a model that its provider has switched off.

    Args:
        model: its id.
        parameter: the parameter that names it, for the sentence.

    Raises:
        ValueError: it is retired.
    """
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            if row["model"] == model:
                raise ValueError(
                    f"{parameter} = {model!r} was retired on {row['retired']}: use {row['successors']} instead"
                )
