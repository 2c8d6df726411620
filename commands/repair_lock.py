"""Delete what stops every command of DVC: `python -m commands.repair_lock`. `make repro`, `make plan`
and `make scan` run it first.

It is DVC's list of readers and writers, or dvc.lock, if a kill truncated it (of dvc.lock the last whole version is put
back), and links in resolved/links/ to folders that are gone.
"""

from __future__ import annotations

from pathlib import Path

from anomend.pipeline.input_links import remove_broken_links
from anomend.pipeline.plan import SCAN
from anomend.project.dvc_repair import remove_truncated_rwlock
from anomend.project.paths import DVC_TEMPORARY, LOCK
from anomend.project.run import run_stage
from anomend.project.truncated_lock import REFUSED, restore_truncated_lock


def main() -> None:
    for temporary in (DVC_TEMPORARY, SCAN / DVC_TEMPORARY):
        if remove_truncated_rwlock(temporary):
            print(f"{temporary / 'rwlock'} was truncated by a kill, and was deleted")
    if restore_truncated_lock(LOCK, DVC_TEMPORARY):
        print(f"{LOCK} was truncated by a kill, and was restored; what a kill left of it is {DVC_TEMPORARY / REFUSED}")
    for parameter in remove_broken_links(Path.cwd()):
        print(f"what {parameter} names is gone, and the link to it was deleted")


if __name__ == "__main__":
    run_stage("repair_lock", main, measured=False)
