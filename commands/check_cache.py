"""Check DVC's cache, and delete corrupted entries: `make check-cache`, then `dvc repro`.

DVC trusts what it once wrote, and does not notice a file that the disk corrupted since.
"""

from __future__ import annotations

from pathlib import Path

from anomend.project.dvc_command import dvc
from anomend.project.dvc_repair import remove_broken_objects
from anomend.project.paths import LOCK
from anomend.project.run import run_stage


def main() -> None:
    # Wherever the user keeps it: `dvc cache dir FOLDER`, or DVC's settings of this computer.
    cache = Path(dvc("cache", "dir", cwd=Path()).strip()) / "files" / "md5"
    broken, checked = remove_broken_objects(cache, LOCK)
    if checked == 0:
        raise ValueError(
            f"DVC's cache {cache} is missing or empty, so nothing was checked: run `dvc repro` or `dvc pull`, or name"
            " the folder that has it by `dvc cache dir`"
        )
    summary = f"{broken} of {checked} entries in {cache} are corrupted"
    print(f"{summary} and were deleted: run `dvc repro`" if broken else summary)


if __name__ == "__main__":
    run_stage("check_cache", main, measured=False)
