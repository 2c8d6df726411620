"""Repairs of DVC's own files, which a failing disk or a kill can break."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

from anomend.project.yaml_files import read_yaml

OBJECT = re.compile(r"[0-9a-f]{32}(\.dir)?")
"""The name of an object in DVC's cache, with that of its folder."""


def remove_broken_objects(cache: Path, lock: Path) -> tuple[int, int]:
    """Delete cache entries whose content does not match their MD5; `dvc repro` then makes them again.

    Args:
        cache: folder in which DVC keeps its objects by MD5: two letters name the folder, the rest the file, and `.dir`
            marks a listing.
        lock: dvc.lock; it may be missing.

    Returns:
        How many entries were deleted, and how many there were.
    """
    # Not the files under other names that DVC is writing, nor what older versions unpacked, nor links to a disk that is
    # not there.
    objects = sorted(path for path in cache.glob("??/*") if OBJECT.fullmatch(path.parent.name + path.name))
    objects = [path for path in objects if path.is_file()]
    broken = [path for path in objects if _is_broken(path)]
    for path in broken:
        path.unlink()
    if broken:
        # DVC hashes a file again only when its time has changed. A file restored from a broken object is broken too.
        for path in _outputs(lock):
            os.utime(path)
    return len(broken), len(objects)


def _is_broken(path: Path) -> bool:
    """Whether an object's MD5 differs from its name."""
    with path.open("rb") as file:
        md5 = hashlib.file_digest(file, "md5").hexdigest()
    return md5 != path.parent.name + path.name.removesuffix(".dir")


def _outputs(lock: Path) -> Iterator[Path]:
    """Every file that exists of every output in dvc.lock."""
    stages = read_yaml(lock)["stages"] if lock.exists() else {}
    for stage in stages.values():
        for out in stage.get("outs", []):
            path = lock.parent / out["path"]
            yield from (file for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file())


def remove_truncated_rwlock(temporary: Path) -> bool:
    """Delete DVC's list of readers and writers if a kill truncated it while DVC wrote it.

    DVC itself removes the entries of killed processes from the list, but refuses every command if the list is not JSON.
    DVC's guard of the list is held meanwhile, so that no list is deleted that is being written.

    Args:
        temporary: DVC's folder `.dvc/tmp`.

    Returns:
        Whether the list was deleted.
    """
    path = temporary / "rwlock"
    if not path.exists():
        return False
    with FileLock(temporary / "rwlock.lock", timeout=30):
        try:
            json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return False
        except ValueError:
            path.unlink()
            return True
    return False
