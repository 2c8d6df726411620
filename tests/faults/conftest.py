"""A reproduced clone to break, and the table of what was broken (metrics/faults.json, written by `make faults`)."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
import yaml

from stages.metric_files import library_versions, write_metrics
from tests.clones import clone, run
from tests.conftest import ROOT

WHOLE = "ANOMEND_FAULTS"
"""Environment variable that asks for the whole suite (every stage, five kills each) and for its table."""


@dataclass(frozen=True)
class Row:
    """One line of metrics/faults.json.

    `tries` counts how often the fault was set, `lost` the outputs that were gone or different in the end.
    """

    stage: str
    fault: str
    tries: int
    lost: int
    message: str


_rows: list[Row] = []


@pytest.fixture
def table() -> list[Row]:
    """Rows of this run; a test appends its own."""
    return _rows


def whole_suite() -> bool:
    """True where every stage and all repeats are asked for."""
    return bool(os.environ.get(WHOLE))


def pytest_sessionfinish(exitstatus: int) -> None:
    if whole_suite() and _rows and exitstatus == 0:
        write_metrics(
            ROOT / "metrics" / "faults.json",
            {
                "rows": [asdict(row) for row in _rows],
                "tries": sum(r.tries for r in _rows),
                "lost": sum(r.lost for r in _rows),
            },
            library_versions("dvc", "torch"),
        )


@pytest.fixture(scope="session")
def reproduced_whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shrunk clone, in a folder with spaces and letters beyond ASCII, reproduced without interruption."""
    folder = clone(tmp_path_factory.mktemp("faults") / "eine Kopie mit Ä")
    run(folder, "dvc", "repro")
    return folder


def outputs(folder: Path) -> dict[str, str]:
    """Hash of every output in dvc.lock."""
    lock = yaml.safe_load((folder / "dvc.lock").read_text())["stages"]
    return {out["path"]: out["md5"] for stage in lock.values() for out in stage.get("outs", [])}


def seconds(folder: Path, stage: str) -> float:
    """What a stage took when nothing disturbed it."""
    path = folder / "metrics" / "resources" / f"{stage.replace('@', '_')}.json"
    return float(json.loads(path.read_text())["seconds"])
