"""How a run is made again, and the hashes by which one sees that it is the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

COMMANDS = (
    ("git log -1 --format=%H -- report/report.md", "the commit of this report and its run: check it out"),
    ("make repro", "sets up the locked environment, and runs what is not done yet: nothing, or all in a fresh clone"),
    ("git diff --stat -- dvc.lock metrics ':!metrics/resources'", "no line: the same data by hash, the same figures"),
    ("source .venv/bin/activate", "the environment that was set up, for what follows"),
    ("make pr-reproduce", "does all of it anew in a temporary clone, and names what comes out otherwise"),
    ("dvc params diff main --targets params.resolved.yaml", "which parameters differ from main's"),
    ("dvc metrics diff main --targets metrics/verdict.json", "what decided, against main's: lower rates are better"),
    ("dvc plots diff main", "curves and anomaly rates by prompt, against main's"),
)
"""From the commit to the comparison: each command, and what it does."""
ROUNDING = "Another processor or a GPU may round differently: the verdict should be the same, figures need not be."
IN_GIT = ("metrics/", "report/", "params.resolved.yaml", "run.resolved.yaml", "code.resolved.yaml")
"""What stages write that git keeps: a difference shows there by itself."""


def locked_data(lock: Mapping[str, Any], made_by: str = "report") -> dict[str, str]:
    """Images, weights and features of a run, path -> hash as DVC computes it; with the stages that wrote them.

    Sorted by path: the order of stages in dvc.lock is that in which they once ran.

    Args:
        lock: content of dvc.lock; it may be empty.
        made_by: stage whose own record is left out, since it is still that of the run before.
    """
    found = {
        out["path"]: f"{out.get('md5', 'no hash')}, {_size(out)}, by {name}"
        for name, stage in lock.get("stages", {}).items()
        if name != made_by
        for out in stage.get("outs", [])
        if not out["path"].startswith(IN_GIT)
    }
    return dict(sorted(found.items()))


def _size(out: Mapping[str, Any]) -> str:
    files = out.get("nfiles")
    return f"{out.get('size', 0):,} bytes" + (f" in {files:,} files" if files else "")
