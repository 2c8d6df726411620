"""Sampled images, kept outside git and DVC so that none is made twice.

FOLDER/<recipe>/recipe.json                     what determines the images besides prompt and seed
FOLDER/<recipe>/<prompt>/<seed>-<SHA-256>.png   one image; its name holds the checksum that it is read by
FOLDER/<recipe>/<prompt>/<first seed>.lock      held while a block of seeds is made
FOLDER/log.jsonl                                one line per block that was made

Everything can be deleted at any time: what is missing is made again.
"""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from PIL import Image

from anomend.pictures.image_sets import METADATA, rows_of
from anomend.project.files import sha256_of, write_whole, written_whole
from anomend.project.slugs import slug

LOG, RECIPE, LOCK = "log.jsonl", "recipe.json", "lock"


class SampleStore:
    """All stored samples below a folder. Several processes may share it, also over a network's file system that has
    locks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def samples(self, recipe: Mapping[str, Any]) -> StoredSamples:
        """The samples of a recipe (`anomend.diffusion.recipes`); marks the recipe as used now."""
        return StoredSamples(self, recipe)

    def recipes(self) -> list[Path]:
        """The recipes' folders, the one that was used longest ago first."""
        return [path.parent for path in sorted(self.folder.glob(f"*/{RECIPE}"), key=lambda path: path.stat().st_mtime)]

    def size(self) -> int:
        """Bytes of all images."""
        return sum(_size(folder) for folder in self.recipes())

    def prune_to(self, gigabytes: float, *, keep: str) -> None:
        """Delete what was used longest ago, except one recipe, until the store has a size; prints what was deleted."""
        if deleted := self.prune(int(gigabytes * 1e9), [keep]):
            print(f"{self.folder}: {len(deleted)} older sets of samples were deleted (sample.store_gigabytes)")

    def prune(self, most_bytes: int, keep: Sequence[str] = ()) -> list[str]:
        """Delete whole recipes, the one that was used longest ago first, until the store is small enough.

        Args:
            most_bytes: the size that the store may have.
            keep: digests of recipes that stay in any case.

        Returns:
            The digests of the deleted recipes.
        """
        deleted: list[str] = []
        if not self.folder.exists():
            return deleted
        with FileLock(self.folder / LOCK):
            sizes = {folder: _size(folder) for folder in self.recipes()}
            total = sum(sizes.values())
            for folder, size in sizes.items():
                if total <= most_bytes:
                    break
                if folder.name not in keep:
                    # Without its recipe the rest is not a recipe's folder any more, should a kill fall in between.
                    (folder / RECIPE).unlink()
                    shutil.rmtree(folder, ignore_errors=True)
                    total -= size
                    deleted.append(folder.name)
        return deleted


class StoredSamples:
    """The samples of one recipe."""

    def __init__(self, store: SampleStore, recipe: Mapping[str, Any]) -> None:
        text = json.dumps(recipe, indent=2, sort_keys=True) + "\n"
        self.digest = sha256_of(text)
        self.folder = store.folder / self.digest
        self.log = store.folder / LOG
        self._checked: dict[tuple[str, int], Path] = {}
        with FileLock(_made(store.folder) / LOCK):
            if (self.folder / RECIPE).exists():
                os.utime(self.folder / RECIPE)
            else:
                write_whole(self.folder / RECIPE, text, durable=False)

    def find(self, prompt: str, seed: int) -> Path | None:
        """The stored image, a PNG whose content has been held against its checksum; None: it has to be made.

        A damaged file is deleted.
        """
        if (prompt, seed) not in self._checked:
            for path in sorted(self._of_prompt(prompt).glob(f"{seed}-*.png")):
                if sha256_of(path) == checksum(path):
                    self._checked[prompt, seed] = path
                    break
                path.unlink(missing_ok=True)
        return self._checked.get((prompt, seed))

    def add(self, prompt: str, seed: int, image: NDArray[np.uint8]) -> Path:
        """Store an RGB image, (H, W, 3); a kill leaves it whole or absent."""
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "PNG")
        content = buffer.getvalue()
        path = self._of_prompt(prompt) / f"{seed}-{sha256_of(content)}.png"
        write_whole(path, content, durable=False)
        self._checked[prompt, seed] = path
        return path

    def refill(self, image_set: Path) -> int:
        """Take over images of this recipe from an image set, such as one that `dvc pull` brought.

        The set is about to be made anew, so nothing is taken from one that is broken, and it is no reason to stop.

        Returns:
            How many were taken.
        """
        taken = 0
        for row in _readable_rows(image_set / METADATA):
            source = image_set / str(row.get("file_name"))
            if row.get("recipe") != self.digest or not source.is_file() or self.find(row["prompt"], row["seed"]):
                continue
            if sha256_of(source) == row.get("sha256"):
                folder = _made(self._of_prompt(row["prompt"]))
                with written_whole(folder / f"{row['seed']}-{row['sha256']}.png", durable=False) as partial:
                    shutil.copyfile(source, partial)
                taken += 1
        return taken

    def block_lock(self, prompt: str, first_seed: int) -> FileLock:
        """The lock of a block of seeds; the holder makes the block. Any thread may release it."""
        return FileLock(_made(self._of_prompt(prompt)) / f"{first_seed}.lock", thread_local=False)

    def note_block(self, prompt: str, seeds: Sequence[int], again: int) -> None:
        """Write a line into the store's log: a block was made, of which so many images had been stored before."""
        line = {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "recipe": self.digest[:12],
            "prompt": prompt,
            "first_seed": seeds[0],
            "images": len(seeds),
            "made_again": again,
        }
        with self.log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")

    def _of_prompt(self, prompt: str) -> Path:
        return self.folder / f"{slug(prompt)[:40]}-{sha256_of(prompt)[:12]}"


def checksum(path: Path) -> str:
    """The SHA-256 in the name of a stored image."""
    return path.stem.rpartition("-")[2]


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _size(folder: str | Path) -> int:
    """Bytes of the images in a folder and below; by directory entries, since a store has hundreds of thousands."""
    total = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                total += _size(entry.path)
            elif entry.name.endswith(".png"):
                total += entry.stat().st_size
    return total


def _readable_rows(metadata: Path) -> list[dict[str, Any]]:
    """The rows of an image set that name a prompt and a seed; none of a set that is missing or broken."""
    try:
        rows = rows_of(metadata) if metadata.exists() else []
    except ValueError:
        return []
    return [row for row in rows if isinstance(row, dict) and {"prompt", "seed"} <= row.keys()]
