"""Hold DVC's cache against its own digests: DVC trusts what it once wrote, and hands out what a disk spoiled since.

`make check-cache` removes such objects; `dvc repro` then makes again what they held.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import yaml

from stages.cli import run_stage

CACHE, LOCK = Path(".dvc/cache/files/md5"), Path("dvc.lock")


def broken_objects(cache: Path) -> Iterator[Path]:
    """Objects whose MD5 is not their name: two letters of folder, the rest of file; `.dir` marks a listing."""
    for path in sorted(cache.glob("??/*")):
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "md5").hexdigest()
        if found != path.parent.name + path.name.removesuffix(".dir"):
            yield path


def outputs_of(lock: Path) -> Iterator[Path]:
    """Every file of every output that dvc.lock names, where it is there."""
    stages = yaml.safe_load(lock.read_text(encoding="utf-8"))["stages"] if lock.exists() else {}
    for stage in stages.values():
        for out in stage.get("outs", []):
            path = Path(out["path"])
            yield from (file for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file())


def main() -> None:
    broken = list(broken_objects(CACHE))
    for path in broken:
        path.unlink()
    if broken:
        # DVC hashes a file again only where its time has changed; what was restored from a broken object is broken too.
        for path in outputs_of(LOCK):
            os.utime(path)
    print(f"{len(broken)} broken objects in {CACHE}" + (", removed: run `dvc repro`" if broken else ""))


if __name__ == "__main__":
    run_stage("check_cache", main, measured=False)
