"""A copy of dvc.lock from before a stage, for the case that a kill truncates it (`truncated_lock`)."""

from __future__ import annotations

from pathlib import Path

from anomend.project.files import write_whole

COPY = "dvc.lock.kept"
"""Name of the copy, in DVC's folder for temporary files."""


def keep_lock(lock: Path, temporary: Path) -> None:
    """Keep a copy of dvc.lock, empty where there is none; outside of a DVC repository do nothing.

    Args:
        lock: dvc.lock.
        temporary: DVC's folder `.dvc/tmp`.
    """
    if temporary.is_dir():
        write_whole(temporary / COPY, lock.read_bytes() if lock.exists() else b"")
