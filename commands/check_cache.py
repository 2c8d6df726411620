"""Hold DVC's cache against its own digests: DVC trusts what it once wrote, and hands out what a disk spoiled since.

`make check-cache` removes such objects; `dvc repro` then makes again what they held.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import yaml

from anomend.project.run import run_stage

CACHE, LOCK = Path(".dvc/cache/files/md5"), Path("dvc.lock")


def objects_of(cache: Path) -> list[Path]:
    """Every object: two letters of its MD5 name the folder, the rest the file; `.dir` marks a listing."""
    return sorted(cache.glob("??/*"))


def is_broken(path: Path) -> bool:
    """Whether an object's MD5 is not its name."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "md5").hexdigest()
    return found != path.parent.name + path.name.removesuffix(".dir")


def outputs_of(lock: Path) -> Iterator[Path]:
    """Every file of every output that dvc.lock names, where it is there."""
    stages = yaml.safe_load(lock.read_text(encoding="utf-8"))["stages"] if lock.exists() else {}
    for stage in stages.values():
        for out in stage.get("outs", []):
            path = Path(out["path"])
            yield from (file for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file())


def main() -> None:
    objects = objects_of(CACHE)
    broken = [path for path in objects if is_broken(path)]
    for path in broken:
        path.unlink()
    if broken:
        # DVC hashes a file again only where its time has changed; what was restored from a broken object is broken too.
        for path in outputs_of(LOCK):
            os.utime(path)
    found = f"{len(broken)} broken objects of {len(objects)} in {CACHE}"
    print(f"{found}, removed: run `dvc repro`" if broken else found)


if __name__ == "__main__":
    run_stage("check_cache", main, measured=False)
