"""What is known of a LoRA that another program trained: whose it is, and what its file had; kept beside its weights."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from anomend.project.files import write_whole

ORIGIN = "origin.json"
EXTERNAL = "anomend.importing.external_lora"
"""The module that takes such a LoRA, a plug-in: its code counts only where a run has one (`pipeline/plugins.py`)."""


@dataclass(frozen=True, kw_only=True)
class LoraOrigin:
    """Where a LoRA comes from."""

    author: str
    source: str
    """In words or as an address; empty where nobody said so."""
    file: str
    """The file's name, without folders."""
    file_sha256: str
    """Of the file as its author wrote it; the one that is sampled from is in diffusers' layout."""
    layout: str
    """Whose layout the file has, in words."""
    modules: int
    """Modules of the transformer that have an adapter."""
    rank_min: int
    rank_max: int
    scale_min: float
    """Smallest factor of an adapter: alpha / rank, or what the file says instead."""
    scale_max: float

    def words(self) -> str:
        """Whose it is, in words for a sentence: `the LoRA of A (where), file F, SHA-256 S`."""
        source = f" ({self.source})" if self.source else ""
        return f"the LoRA of {self.author}{source}, file {self.file}, SHA-256 {self.file_sha256}"

    def as_metrics(self) -> dict[str, Any]:
        """All of it, by name."""
        return asdict(self)


def write_origin(folder: Path, origin: LoraOrigin) -> None:
    """Write it into the LoRA's folder."""
    write_whole(folder / ORIGIN, json.dumps(asdict(origin), indent=2, ensure_ascii=False) + "\n")


def read_origin(folder: Path) -> LoraOrigin | None:
    """What `write_origin` wrote into a folder; None where the LoRA was trained here, or where there is none.

    Raises:
        ValueError: the file is broken.
    """
    path = folder / ORIGIN
    if not path.exists():
        return None
    try:
        return LoraOrigin(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        raise ValueError(f"{path} is broken: run `dvc checkout`, or `dvc repro` the stage that writes it") from None
