"""What every source yields, and what it is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomend.collecting.openai_settings import OpenAISettings


@dataclass(frozen=True)
class SourceImage:
    """One collected image."""

    image: NDArray[np.uint8]
    """RGB, (H, W, 3)."""
    text: str
    """Caption for training: it names what the image shows, place included."""
    prompt: str
    """The target prompt that the image answers."""
    provenance: dict[str, Any] = field(default_factory=dict)
    """Seed, model, request id and the like."""


@dataclass(frozen=True)
class Skipped:
    """Something that a source looked at and left out."""

    name: str
    """File or request."""
    reason: str
    """Why, for the user."""


@dataclass(frozen=True)
class FolderSettings:
    """Where a user's own pictures are."""

    path: Path
    caption: str | None = None
    """Caption of pictures that have none of their own; None: the target prompts, joined by "or"."""


@dataclass(frozen=True)
class PaperSettings:
    """Where the paper's published images are, and what is known about them."""

    path: Path
    """Holds `instance/`."""
    digests: Path = Path("data/paper/images.csv")
    """CSV with `set`, `file_name` and `sha256`."""
    captions: Path = Path("data/paper/captions.csv")
    """CSV with `file_name` and `text`."""


@dataclass(frozen=True)
class SourceSettings:
    """What the sources are told beside prompts and count; each reads its own part."""

    seed: int = 0
    folder: FolderSettings | None = None
    paper: PaperSettings | None = None
    openai: OpenAISettings | None = None
