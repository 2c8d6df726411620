"""Remove DVC's list of who reads and writes what, `.dvc/tmp/rwlock`, where a kill cut it off while DVC wrote it.

DVC clears away what killed processes left in the list, but refuses every command where the list is no JSON. `make
repro` calls this first. DVC's own guard is held meanwhile, so that no list is removed that is being written.
"""

from __future__ import annotations

import json
from pathlib import Path

from filelock import FileLock

from anomend.project.run import run_stage

LIST = Path(".dvc/tmp/rwlock")
GUARD = Path(".dvc/tmp/rwlock.lock")


def main() -> None:
    if not LIST.exists():
        return
    with FileLock(GUARD, timeout=30):
        try:
            json.loads(LIST.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return
        except ValueError:
            LIST.unlink()
            print(f"{LIST} was cut off by a kill, and is removed")


if __name__ == "__main__":
    run_stage("repair_lock", main, measured=False)
