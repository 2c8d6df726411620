"""Text embeddings on disk, beside the store of samples, so that no stage or experiment encodes a text again.

FOLDER/<key>-<SHA-256>.safetensors   one text; its name holds the checksum that it is read by
FOLDER/lock                          held while texts are encoded

Everything can be deleted at any time: what is missing is encoded again.
"""

from __future__ import annotations

import os
from pathlib import Path

from filelock import FileLock

from anomend.pictures.sample_store import checksum
from anomend.project.files import sha256_of, write_whole

MOST_BYTES = 1_000_000_000
"""Of all texts: some 180 of Stable Diffusion 3.5's. Beyond, those that were used longest ago are deleted."""


class TextStore:
    """The stored texts. Several processes may share them."""

    def __init__(self, samples: Path) -> None:
        """
        Args:
            samples: folder of the store of samples.
        """
        self.folder = samples / "texts"

    def find(self, key: str) -> bytes | None:
        """A stored file whose content has been held against its checksum; None: it has to be made.

        A damaged file is deleted.
        """
        for path in sorted(self.folder.glob(f"{key}-*.safetensors")):
            try:
                content = path.read_bytes()
                os.utime(path)
            except FileNotFoundError:
                continue  # Another process has just deleted it.
            if sha256_of(content) == checksum(path):
                return content
            path.unlink(missing_ok=True)
        return None

    def add(self, key: str, content: bytes) -> None:
        """Store a file; a kill leaves it whole or absent."""
        write_whole(self.folder / f"{key}-{sha256_of(content)}.safetensors", content, durable=False)

    def lock(self) -> FileLock:
        """Held by the process that encodes."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self.folder / "lock")

    def prune(self, most_bytes: int = MOST_BYTES) -> int:
        """Delete what was used longest ago, until all together are small enough; returns how many were deleted."""
        sizes: dict[Path, tuple[float, int]] = {}
        for path in self.folder.glob("*.safetensors"):
            status = path.stat()
            sizes[path] = (status.st_mtime, status.st_size)
        total, deleted = 0, 0
        for path in sorted(sizes, key=lambda path: sizes[path], reverse=True):
            total += sizes[path][1]
            if total > most_bytes:
                path.unlink(missing_ok=True)
                deleted += 1
        return deleted
