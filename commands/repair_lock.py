"""Delete DVC's list of readers and writers if a kill truncated it: `python -m commands.repair_lock`.

`make repro` runs this first, because DVC refuses every command while the list is broken.
"""

from __future__ import annotations

from pathlib import Path

from anomend.project.dvc_repair import remove_truncated_rwlock
from anomend.project.run import run_stage

TEMPORARY = Path(".dvc/tmp")


def main() -> None:
    if remove_truncated_rwlock(TEMPORARY):
        print(f"{TEMPORARY / 'rwlock'} was truncated by a kill, and was deleted")


if __name__ == "__main__":
    run_stage("repair_lock", main, measured=False)
