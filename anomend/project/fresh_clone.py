"""The committed run, reproduced in a fresh clone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

VERDICT = "metrics/verdict.json"
DIFFERS = ("metrics/resources/", "report/made.js")
"""Seconds and memory, and who made the report and when: they differ from run to run."""


def reproduce(root: Path, folder: Path, targets: Sequence[str] = ()) -> list[str]:
    """Clone the commit that is checked out, and run `dvc repro` there with nothing cached.

    Args:
        root: a git checkout; its uncommitted changes are not part of the clone.
        folder: an empty folder for the clone.
        targets: stages to reproduce; empty: all.

    Returns:
        Tracked files that differ from the commit, without those that always do.

    Raises:
        ValueError: the clone or a stage failed.
    """
    _run("git", "clone", "--quiet", "--no-hardlinks", str(root), str(folder), cwd=root)
    _run(sys.executable, "-m", "dvc", "repro", *targets, cwd=folder)
    changed = subprocess.run(
        ["git", "diff", "--name-only"], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return [name for name in changed if not name.startswith(DIFFERS)]


def verdicts(root: Path, folder: Path) -> tuple[str, str]:
    """The committed verdict and that of the clone."""
    committed = subprocess.run(["git", "show", f"HEAD:{VERDICT}"], cwd=root, capture_output=True, text=True, check=True)
    return json.loads(committed.stdout)["verdict"], json.loads((folder / VERDICT).read_text())["verdict"]


def _run(*words: str, cwd: Path) -> None:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    if subprocess.run(words, cwd=cwd, env=environment, check=False).returncode:
        raise ValueError(f"`{' '.join(words)}` failed in {cwd}: read its output above")
