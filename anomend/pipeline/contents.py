"""A digest of what is in a file or a folder, for which large files are read once only."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from anomend.project.files import sha256_of, write_whole

LARGE = 32 * 1024 * 1024
"""Bytes. The digest of a larger file is kept, and the file is read again only when its size, times or inode changed."""


class KnownDigests:
    """SHA-256 of files; of large ones, kept from run to run.

    Args:
        path: the file that keeps them; it may be missing, and may be deleted at any time.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._kept: dict[str, Any] = json_object(path)
        self._changed = False

    def unread(self, file: Path) -> int:
        """Bytes that have to be read for a file's digest."""
        return 0 if self._known(file) else file.stat().st_size

    def of(self, file: Path) -> str:
        """A file's SHA-256 in hexadecimal."""
        if known := self._known(file):
            return known
        state, digest = _state(file), sha256_of(file)
        if state[0] >= LARGE:
            self._kept[os.path.realpath(file)] = [state, digest]
            self._changed = True
        return digest

    def keep(self) -> None:
        """Write what was learned."""
        if self._changed:
            write_whole(self.path, json.dumps(self._kept), durable=False)

    def _known(self, file: Path) -> str | None:
        state = _state(file)
        kept = self._kept.get(os.path.realpath(file)) if state[0] >= LARGE else None
        return str(kept[1]) if kept and kept[0] == state else None


def folder_digest(path: Path, known: KnownDigests, *, endings: Collection[str] | None, label: str) -> str:
    """SHA-256 in hexadecimal over the names and contents of an input's files; a file's name does not count.

    Args:
        path: a file or a folder.
        known: digests of files.
        endings: as in `files_in`.
        label: what the progress bar calls it, where reading takes longer than two seconds.
    """
    files = list(files_in(path, endings))
    sizes = [known.unread(file) for _, file in files]
    digest = hashlib.sha256()
    with tqdm(total=sum(sizes), desc=f"reading {label}", unit="B", unit_scale=True, delay=2) as bar:
        for (name, file), size in zip(files, sizes, strict=True):
            digest.update(f"{name}\n{known.of(file)}\n".encode(errors="surrogateescape"))
            bar.update(size)
    return digest.hexdigest()


def files_in(path: Path, endings: Collection[str] | None) -> Iterator[tuple[str, Path]]:
    """The files of a folder and its sub-folders, each with its name in the folder; symbolic links are followed.

    Args:
        path: a folder, or a file, which has no name in itself.
        endings: of the files that count, in lower case; None: all but hidden ones and those in which DVC notes what it
            tracks.
    """
    if path.is_file():
        yield "", path
        return
    seen: set[str] = set()
    for folder, folders, names in os.walk(path, followlinks=True):
        if (real := os.path.realpath(folder)) in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(folder, name)
            ending = file.suffix.lower()
            counted = ending in endings if endings is not None else ending != ".dvc"
            if counted and not name.startswith(".") and file.is_file():
                yield file.relative_to(path).as_posix(), file


def json_object(path: Path) -> dict[str, Any]:
    """A JSON file's object; empty where the file is missing or broken, for files that are made again."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _state(file: Path) -> list[int]:
    status = file.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
