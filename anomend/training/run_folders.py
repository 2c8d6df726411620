"""The folders of checkpoints, one per run: which one is continued, why others are not, and which are deleted."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anomend.project.files import write_whole
from anomend.training.checkpoints import checkpoints_in, steps_of
from anomend.training.run_key import run_key

IDENTITY = "run.json"
"""What the run of a folder depends on."""
KEPT = 4
"""Most folders of other runs that are kept, besides those written to in the last day, whose runs may still go on."""
DAY_S = 24 * 3600
NAMED = 3
"""Most differences between two runs that are named."""


def run_folder(folder: Path, identity: Mapping[str, Any]) -> Path:
    """The folder of a run's checkpoints among those of all runs."""
    return folder / run_key(dict(identity))


def open_run(folder: Path, identity: Mapping[str, Any]) -> list[str]:
    """Make a run's folder, note there what the run depends on, and delete old folders; one process must call this.

    Args:
        folder: of all runs.
        identity: from `run_identity`.

    Returns:
        What a user should know, one sentence each: why the newest checkpoint of another run is not continued, where
        this run has none of its own; and which folders were deleted.
    """
    own = run_folder(folder, identity)
    others = sorted(
        (path for path in folder.glob("*") if path.is_dir() and path != own), key=_last_written, reverse=True
    )
    said = []
    if not checkpoints_in(own) and (unfinished := [path for path in others if checkpoints_in(path)]):
        said.append(_why_not(unfinished[0], identity))
    write_whole(own / IDENTITY, json.dumps(dict(identity), indent=2, sort_keys=True))
    old = [path for path in others[KEPT:] if time.time() - _last_written(path) > DAY_S]
    for path in old:
        shutil.rmtree(path, ignore_errors=True)
    if old:
        said.append(f"deleted old checkpoints of other runs: {', '.join(map(str, old))}")
    return said


def _last_written(folder: Path) -> float:
    return max((path.stat().st_mtime for path in folder.iterdir()), default=0.0)


def _why_not(other: Path, identity: Mapping[str, Any]) -> str:
    """Why the checkpoint of another run is not continued."""
    step = steps_of(checkpoints_in(other)[-1])
    start = f"{other} has step {step} of another run, which is not continued"
    try:
        recorded = dict(json.loads((other / IDENTITY).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return f"{start}: it does not say what it depends on; starting at step 0"
    names = [name for name in {**recorded, **identity} if recorded.get(name) != identity.get(name)]
    differences = "; ".join(_difference(name, recorded.get(name), identity.get(name)) for name in names[:NAMED])
    more = f"; and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{start}: {differences}{more}; starting at step 0"


def _difference(name: str, there: Any, here: Any) -> str:
    if "." in name and not name.endswith(".safetensors"):
        return f"{name} was {json.dumps(there)} and is {json.dumps(here)}"
    return f"{name} {'was added' if there is None else 'is missing' if here is None else 'has changed'}"
