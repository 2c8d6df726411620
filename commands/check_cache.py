"""Check DVC's cache, and delete corrupted entries: `make check-cache`, then `dvc repro`.

DVC trusts what it once wrote, and does not notice a file that the disk corrupted since.
"""

from __future__ import annotations

from pathlib import Path

from anomend.project.dvc_repair import remove_broken_objects
from anomend.project.paths import LOCK
from anomend.project.run import run_stage

CACHE = Path(".dvc/cache/files/md5")


def main() -> None:
    broken, checked = remove_broken_objects(CACHE, LOCK)
    summary = f"{broken} of {checked} entries in {CACHE} are corrupted"
    print(f"{summary} and were deleted: run `dvc repro`" if broken else summary)


if __name__ == "__main__":
    run_stage("check_cache", main, measured=False)
