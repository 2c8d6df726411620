"""Files that are whole or absent, and the digests by which files are told apart."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_whole(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Write a file so that it is whole or absent, wherever a kill falls.

    The caller writes the file that it is given, which lies in the same folder. When the block ends, that file takes
    the place of `path`; when the block raises, it is deleted, and an earlier `path` stays as it was.

    Args:
        path: the file to write; its folder is made.
        durable: wait until the content is on the disk, so that a power cut cannot undo it.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield partial
        if durable:
            with partial.open("rb") as file:
                os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes | str, *, durable: bool = True) -> None:
    """Write bytes, or text as UTF-8, by `written_whole`."""
    with written_whole(path, durable=durable) as partial:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)


def copy(source: Path, target: Path) -> None:
    """Copy a file's content; on file systems that can (Btrfs, XFS), both share the disk's blocks until one changes."""
    with source.open("rb") as content, target.open("wb") as file:
        try:
            import fcntl

            fcntl.ioctl(file, 0x40049409, content.fileno())  # FICLONE of linux/fs.h
        except (ImportError, OSError):
            shutil.copyfileobj(content, file, 1 << 20)


def sha256_of(source: Path | bytes | str) -> str:
    """SHA-256 in hexadecimal of a file's content, of bytes, or of text as UTF-8.

    Raises:
        OSError: the file cannot be read.
    """
    if isinstance(source, Path):
        with source.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    return hashlib.sha256(source.encode() if isinstance(source, str) else source).hexdigest()
