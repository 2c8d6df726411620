"""Image sets on disk, as Hugging Face `imagefolder`s: PNGs and a `metadata.jsonl` with one object per line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from anomend.pictures.reader import read_picture
from anomend.project.files import copy, sha256_of

METADATA = "metadata.jsonl"


def load_image(path: Path) -> NDArray[np.uint8]:
    """Read an image of a set as RGB, shape (H, W, 3), uint8, in its own size.

    Raises:
        ValueError: the file is missing, or is not an image that `read_picture` can read.
    """
    try:
        return read_picture(path, largest=None)[0]
    except ValueError as error:
        raise ValueError(f"{path} cannot be read as an image: {error}") from None


class ImageFolderWriter:
    """Writes images and their provenance. When the set is complete, `metadata.jsonl` is written, and whatever else an
    earlier run left in the folder is deleted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: list[dict[str, Any]] = []
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, file_name: str, image: NDArray[np.uint8], **provenance: Any) -> None:
        """Save one RGB image of uint8 as PNG, and note its provenance (`text`, `prompt`, `seed`, ...)."""
        path = self.folder / file_name
        Image.fromarray(image).save(path)
        self.rows.append({"file_name": file_name, **provenance, "sha256": sha256_of(path)})

    def add_stored(self, file_name: str, stored: Path, sha256: str, /, **provenance: Any) -> None:
        """Copy a PNG whose SHA-256 is known, and note its provenance."""
        path = self.folder / file_name
        path.unlink(missing_ok=True)  # It may be a link into DVC's cache.
        copy(stored, path)
        self.rows.append({"file_name": file_name, **provenance, "sha256": sha256})

    def close(self) -> None:
        """Write the metadata, and delete files that it does not list."""
        listed = {row["file_name"] for row in self.rows}
        for path in self.folder.iterdir():
            if path.name not in listed and path.is_file():
                path.unlink()
        write_metadata(self.folder, self.rows)


def write_metadata(folder: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write `metadata.jsonl`, one object per line."""
    lines = [json.dumps(dict(row), ensure_ascii=False) for row in rows]
    (folder / METADATA).write_text("\n".join(lines) + "\n", encoding="utf-8")


def rows_of(metadata: Path) -> list[dict[str, Any]]:
    """The objects of a `metadata.jsonl`.

    Raises:
        ValueError: the file is broken.
    """
    try:
        return [json.loads(line) for line in metadata.read_text(encoding="utf-8").split("\n") if line.strip()]
    except ValueError:
        raise ValueError(f"{metadata} is broken: remove {metadata.parent}, and run the stage that makes it") from None


def read_imagefolder(folder: Path) -> pd.DataFrame:
    """The metadata of an image set, in the order of its lines, with a `path` column.

    Raises:
        ValueError: the folder or its metadata are missing, no image is listed, or an image is missing, has changed
            since it was written, has no caption, or is named by a path out of the folder.
    """
    metadata = folder / METADATA
    if not metadata.exists():
        raise ValueError(f"{folder} has no {METADATA}: run the stage that makes it, or add one line per image")
    rows = rows_of(metadata)
    if not rows:
        raise ValueError(f"{metadata} lists no image: the stage that made {folder} kept none")
    table = pd.DataFrame(rows)
    for row in rows:
        name = row.get("file_name")
        if not isinstance(name, str) or Path(name).is_absolute() or ".." in Path(name).parts:
            raise ValueError(f"{metadata} names {name!r}, which is not a file in {folder}: correct it")
        if not str(row.get("text", "")).strip():
            raise ValueError(f"{metadata} has no caption (`text`) for {name}: add one")
        path = folder / name
        if not path.exists():
            raise ValueError(f"{path} is listed in {METADATA} and is missing: run the stage that makes {folder}")
        if "sha256" in row and sha256_of(path) != row["sha256"]:
            raise ValueError(
                f"{path} is not the picture that was written there (its SHA-256 differs from {METADATA}): run "
                "`make check-cache`, then `dvc repro`"
            )
    table["path"] = [folder / name for name in table["file_name"]]
    return table
