"""How a run is reproduced, and the hashes that show whether the result is the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

COMMANDS = (
    ("git log -1 --format=%H -- report/report.md", "the commit of this report and its run: check it out"),
    ("make repro", "sets up the locked environment, and runs the stages that are not done yet: in a fresh clone, all"),
    ("git diff --stat -- dvc.lock metrics ':!metrics/resources'", "no line: the same data by hash, the same metrics"),
    ("source .venv/bin/activate", "activates that environment for the commands below"),
    ("make pr-reproduce", "reproduces everything in a temporary clone, and lists the files that differ"),
    ("dvc params diff main --targets resolved/params.json", "which parameters differ from main's"),
    (
        "dvc metrics diff main --targets metrics/verdict.json",
        "the deciding metrics, against main's: lower rates are better",
    ),
    ("dvc plots diff main", "curves and anomaly rates by prompt, against main's"),
)
"""From the commit to the comparison: each command, and what it does."""
ROUNDING = "Another processor or a GPU may round differently: the verdict should be the same, the metrics need not."
IN_GIT = ("metrics/", "report/", "resolved/")
"""Outputs that git keeps, and so shows every difference of."""


def locked_data(lock: Mapping[str, Any], made_by: str = "report") -> dict[str, str]:
    """Images, weights and features of a run: path -> DVC's hash, size, and the stage that wrote it.

    Sorted by path, since the order of stages in dvc.lock is the order in which they happened to run.

    Args:
        lock: content of dvc.lock; it may be empty.
        made_by: stage that makes the report; its record is left out, because it is still that of the run before.
    """
    hashes = {
        out["path"]: f"{out.get('md5', 'no hash')}, {_size(out)}, by {name}"
        for name, stage in lock.get("stages", {}).items()
        if name != made_by
        for out in stage.get("outs", [])
        if not out["path"].startswith(IN_GIT)
    }
    return dict(sorted(hashes.items()))


def _size(out: Mapping[str, Any]) -> str:
    files = out.get("nfiles")
    return f"{out.get('size', 0):,} bytes" + (f" in {files:,} files" if files else "")
