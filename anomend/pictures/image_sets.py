"""Image sets on disk: Hugging Face `imagefolder`s, PNGs beside a `metadata.jsonl` with one object a line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from anomend.project.slugs import slug as slug

METADATA = "metadata.jsonl"


def load_image(path: Path) -> NDArray[np.uint8]:
    """Read an image as RGB, shape (H, W, 3), uint8.

    Raises:
        ValueError: the file is missing, truncated or no image, or has more than 8 bits a pixel of grey, of which Pillow
            would make white.
    """
    try:
        with Image.open(path) as image:
            if image.mode.startswith(("I", "F")):
                raise ValueError(f"{path} has more than 8 bits a pixel (mode {image.mode}): save it as 8-bit RGB")
            return np.asarray(image.convert("RGB"))
    except (OSError, UnidentifiedImageError, SyntaxError) as error:
        raise ValueError(f"{path} cannot be read as an image ({error}): replace or remove it") from error


class ImageFolderWriter:
    """Write images and their provenance; `metadata.jsonl` appears when the set is complete."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: list[dict[str, Any]] = []
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, file_name: str, image: NDArray[np.uint8], **provenance: Any) -> None:
        """Save one RGB image of uint8 as PNG, and note its provenance (`text`, `prompt`, `seed`, ...)."""
        path = self.folder / file_name
        Image.fromarray(image).save(path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        self.rows.append({"file_name": file_name, **provenance, "sha256": digest})

    def close(self) -> None:
        """Write the metadata."""
        write_metadata(self.folder, self.rows)


def write_metadata(folder: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write `metadata.jsonl`, one object a line."""
    lines = [json.dumps(dict(row), ensure_ascii=False) for row in rows]
    (folder / METADATA).write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_imagefolder(folder: Path) -> pd.DataFrame:
    """The metadata of an image set, in the order of its lines, with a `path` column.

    Raises:
        ValueError: folder or metadata are missing, it lists no image, an image is missing, is another than
            the one that was written, or has no caption.
    """
    metadata = folder / METADATA
    if not metadata.exists():
        raise ValueError(f"{folder} has no {METADATA}: run the stage that makes it, or add one line an image")
    try:
        rows = [json.loads(line) for line in metadata.read_text(encoding="utf-8").split("\n") if line.strip()]
    except ValueError:
        raise ValueError(f"{metadata} is broken: remove {folder} and run the stage that makes it") from None
    if not rows:
        raise ValueError(f"{metadata} lists no image: the stage that made {folder} kept none")
    table = pd.DataFrame(rows)
    for row in rows:
        if not str(row.get("text", "")).strip():
            raise ValueError(f"{metadata} has no caption (`text`) for {row.get('file_name')}: add one")
        path = folder / row["file_name"]
        if not path.exists():
            raise ValueError(f"{path} is listed in {METADATA} and is not there")
        if "sha256" in row and hashlib.sha256(path.read_bytes()).hexdigest() != row["sha256"]:
            raise ValueError(
                f"{path} is not the picture that was written there (its SHA-256 is another than in {METADATA}): run "
                "`make check-cache`, then `dvc repro`"
            )
    table["path"] = [folder / name for name in table["file_name"]]
    return table
