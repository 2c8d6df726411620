"""The paper's published images: where they are, and whether they are the ones that were published."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anomend.pictures.image_sets import load_image
from anomend.project.files import sha256_of

REPOSITORY = "https://github.com/hyoo14/Finetuned-SD3-Correcting-Anomalous-Images"
COMMIT = "87964b34ea42169283167483ab18fa2660a409a3"
ENVIRONMENT = "ANOMEND_PAPER_IMAGES"


@dataclass(frozen=True)
class PaperImages:
    """The published images, RGB of uint8, and the SHA-256 over the digests of all files."""

    tuned: list[NDArray[np.uint8]]
    base: list[NDArray[np.uint8]]
    instance: list[NDArray[np.uint8]]
    sha256: str


def find_folder(environment: Mapping[str, str], default: Path) -> Path:
    """The folder of the images: the environment's, else the default."""
    return Path(environment.get(ENVIRONMENT) or default)


def read_images(folder: Path, table: Path) -> PaperImages:
    """Read the published images, and check each against its published digest.

    Args:
        folder: holds `tuned`, `base` and `instance`.
        table: CSV with `set`, `file_name` and `sha256`, in the order in which the images are read.

    Raises:
        FileNotFoundError: an image is missing.
        ValueError: a file is not the published one.
    """
    sets: dict[str, list[NDArray[np.uint8]]] = {"tuned": [], "base": [], "instance": []}
    combined = hashlib.sha256()
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        path = folder / row["set"] / row["file_name"]
        if not path.is_file():
            raise FileNotFoundError(
                f"the paper's published images are not in {folder} ({row['set']}/{row['file_name']} is missing): fetch"
                f" them with `dvc get` as studies/replication/README.md shows, or set {ENVIRONMENT} to their folder"
            )
        digest = sha256_of(path)
        if digest != row["sha256"]:
            raise ValueError(f"{path} is not the published file (SHA-256 {digest[:12]}): fetch it again")
        sets[row["set"]].append(load_image(path))
        combined.update(f"{row['set']}/{row['file_name']} {digest}\n".encode())
    return PaperImages(sha256=combined.hexdigest(), **sets)
