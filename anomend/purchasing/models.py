"""Models that were switched off: refused before any request, with the names of their successors."""

from __future__ import annotations

from pathlib import Path

from anomend.project.hand_edited import read_table

COLUMNS = ("model", "retired", "successors")


def refuse_retired(model: str, parameter: str, table: Path) -> None:
    """Refuse a model that its provider has switched off.

    Args:
        model: its id.
        parameter: the parameter that names it, for the message.
        table: CSV file with the columns model, retired (a date) and successors.

    Raises:
        ValueError: it is retired, or the table is broken.
    """
    for line in read_table(table, COLUMNS):
        if line["model"] == model:
            raise ValueError(
                f"{parameter} = {model!r} was retired on {line['retired']}: use {line['successors']} instead"
            )
