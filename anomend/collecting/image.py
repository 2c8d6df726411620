"""What every source is given and what it yields."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomend.params.detectors import DetectorParams
from anomend.params.diffusion import BaseModelParams, SampleParams
from anomend.params.images import BaseSourceParams, OpenAIParams
from anomend.purchasing.settings import PurchaseSettings


@dataclass(frozen=True, kw_only=True)
class SourceImage:
    """One collected image."""

    image: NDArray[np.uint8]
    """RGB, (H, W, 3)."""
    text: str
    """Caption for training: what the image shows, place included."""
    prompt: str
    """The target prompt that the image answers."""
    provenance: dict[str, Any] = field(default_factory=dict)
    """Seed, model, request id and the like."""
    caption_kind: str = "prompt"
    """Where the caption is from, for counting: `prompt`, or what `Caption.kind` lists."""


@dataclass(frozen=True)
class Skipped:
    """Something that a source left out."""

    name: str
    """File or request."""
    reason: str
    """Why, for the user."""
    kind: str = "refused"
    """Why, for counting: `unreadable`, `caption`, `link`, `beyond` (more than were asked for) and so on."""
    one_of_many: bool = False
    """It is in the table and in the counts, and neither on the screen nor in the metric file."""


@dataclass(frozen=True, kw_only=True)
class FolderSettings:
    """Where the user's pictures are."""

    path: Path
    caption: str | None = None
    """Caption of pictures without one; None: the target prompt by `anomend.collecting.uncaptioned`."""


@dataclass(frozen=True, kw_only=True)
class PaperSettings:
    """Where the paper's published images are, and the tables that describe them."""

    path: Path
    """Folder that holds `instance/`."""
    digests: Path
    """CSV file with `set`, `file_name` and `sha256`."""
    captions: Path
    """CSV file with `file_name` and `text`."""


@dataclass(frozen=True, kw_only=True)
class OpenAISettings:
    """How images are bought from OpenAI."""

    purchase: PurchaseSettings
    """The model and the money."""
    images: OpenAIParams
    """Size, quality, people, contexts."""


@dataclass(frozen=True, kw_only=True)
class BaseSettings:
    """How the base is sampled, and which of its images are right."""

    selecting: BaseSourceParams
    """The detector, the seeds and their number."""
    base: BaseModelParams
    sampling: SampleParams
    detectors: DetectorParams
    """The models that detectors load."""
    store: Path
    """Folder of the store of samples."""
    code: str
    """Fingerprint of the code that samples."""
    ahead: Sequence[str] = ()
    """Prompts of later stages, whose texts are encoded too where text encoders have to be loaded."""


@dataclass(frozen=True, kw_only=True)
class SourceSettings:
    """What any source may need besides prompts and count; each takes what it uses."""

    seed: int = 0
    folder: FolderSettings | None = None
    paper: PaperSettings | None = None
    openai: OpenAISettings | None = None
    base: BaseSettings | None = None


Source = Callable[[Sequence[str], int, SourceSettings], Iterator[SourceImage | Skipped]]
"""(target prompts, number of images at most, settings) -> images, and what was left out."""
