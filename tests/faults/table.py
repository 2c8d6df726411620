"""The table of what was broken: metrics/faults.json, to which each test of `make faults` adds its row."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from anomend.project.metric_files import library_versions, write_metrics
from tests.conftest import ROOT

TABLE = ROOT / "metrics" / "faults.json"
WHOLE = "ANOMEND_FAULTS"
"""Environment variable that asks for the whole suite (every stage, five kills each) and for its table."""


@dataclass(frozen=True)
class Row:
    """One line of metrics/faults.json.

    `tries` counts how often the fault was set, `lost` the outputs that were gone or different in the end. `message` is
    what the user got to read, or what else a reader of the table should know.
    """

    stage: str
    fault: str
    tries: int
    lost: int
    message: str
    images_made_again: int | None = None
    """Sampled images that had been stored already, over all tries; None where nothing is sampled."""
    batch: int | None = None
    """Images that are sampled at a time: a kill may cost so many."""

    def as_dict(self) -> dict[str, str | int]:
        """The row without what it does not say."""
        return {key: value for key, value in asdict(self).items() if value is not None}


def whole_suite() -> bool:
    """True where every stage and all repeats are asked for."""
    return bool(os.environ.get(WHOLE))


def merged(known: Sequence[Row], new: Sequence[Row]) -> list[Row]:
    """The rows sorted by stage and fault; a new row replaces the one of its stage and fault."""
    rows = {(row.stage, row.fault): row for row in [*known, *new]}
    return [rows[key] for key in sorted(rows)]


def read_rows(path: Path = TABLE) -> list[Row]:
    """The rows of an earlier run; none where there was none."""
    return [Row(**row) for row in json.loads(path.read_text())["rows"]] if path.exists() else []


def record(row: Row, path: Path = TABLE) -> None:
    """Note a row at once, so that the suite can be run in pieces, and stopped; only the whole suite writes a table."""
    if not whole_suite():
        return
    rows = merged(read_rows(path), [row])
    metrics = {
        "rows": [each.as_dict() for each in rows],
        "tries": sum(each.tries for each in rows),
        "lost": sum(each.lost for each in rows),
    }
    write_metrics(path, metrics, library_versions("dvc", "torch"))
