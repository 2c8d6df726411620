"""Delete what stops every command of DVC: `python -m commands.repair_lock`. `make repro` and `make plan` run it first.

It is DVC's list of readers and writers, if a kill truncated it, and links in resolved/links/ to folders that are gone.
"""

from __future__ import annotations

from pathlib import Path

from anomend.pipeline.inputs import remove_broken_links
from anomend.project.dvc_repair import remove_truncated_rwlock
from anomend.project.run import run_stage

TEMPORARY = Path(".dvc/tmp")


def main() -> None:
    if remove_truncated_rwlock(TEMPORARY):
        print(f"{TEMPORARY / 'rwlock'} was truncated by a kill, and was deleted")
    for parameter in remove_broken_links(Path.cwd()):
        print(f"what {parameter} names is gone, and the link to it was deleted")


if __name__ == "__main__":
    run_stage("repair_lock", main, measured=False)
