"""The interface of all detectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from tqdm import tqdm

from anomend.detectors.criteria import Criteria
from anomend.detectors.observation import Image, Observation
from anomend.params.detectors import DetectorParams

TOGETHER = 16
"""Images at a time, where a detector takes several."""
Use = Literal["anomalies", "curation", "parts"]
"""What a detector is chosen for: naming anomalies, selecting training images, locating parts of a body."""


@dataclass(frozen=True, kw_only=True)
class Detector:
    """A detector with its models loaded."""

    name: str
    """As the parameters write it."""
    detect: Callable[[Image], Observation]
    """What is seen in one RGB image (H, W, 3)."""
    detect_together: Callable[[Sequence[Image]], list[Observation]] | None = None
    """What is seen in several images of one size, where that is faster; None: one image at a time."""
    criteria: Criteria = field(default_factory=Criteria)
    """What a training image must be like, where the parameters set no threshold."""
    kinds: tuple[str, ...] = ()
    """Every anomaly that it can name, so that two sets have the same keys whichever of them occur; empty: it names
    none, and there is no anomaly rate."""
    caution: str | None = None
    """Why its anomalies do not prove wrong anatomy, as the rest of a sentence that begins with `it`. Neither a verdict
    nor the rejection of a training image then rests on them. None: they are proof."""
    source: str | None = None
    """Package, or repository or folder with revision, of its weights; None without any."""
    licence: str | None = None
    """Of its weights."""

    def anomalies(self, images: Sequence[Image], *, progress: bool = False) -> list[tuple[str, ...]]:
        """The anomalies of each image; an empty tuple is an image without any.

        Raises:
            ValueError: the detector cannot read an image.
        """
        size = TOGETHER if self.detect_together else 1
        starts = tqdm(
            range(0, len(images), size), desc=f"anatomy ({self.name.partition(':')[0]})", disable=not progress
        )
        parts = ([images[row] for row in range(start, min(start + size, len(images)))] for start in starts)
        return [seen.anomalies for part in parts for seen in self._seen(part)]

    def _seen(self, images: Sequence[Image]) -> list[Observation]:
        if self.detect_together and len({image.shape for image in images}) == 1:
            return self.detect_together(images)
        return [self.detect(image) for image in images]

    def provenance(self) -> dict[str, str]:
        """What a metric file says about it besides its name."""
        entries = {
            "detector_source": self.source,
            "detector_licence": self.licence,
            "detector_caution": self.caution,
        }
        return {name: words for name, words in entries.items() if words}


class DetectorModule(Protocol):
    """What the module of a detector has. Importing it loads no network library; `check` and `make` may."""

    FORM: str
    """How the parameters write its name: `drawn_people`, or with an argument `objects:MODEL@PIN`."""
    USES: frozenset[Use]
    """What it can be chosen for."""
    check: Callable[[str, DetectorParams], None]
    """Takes the argument (empty for a detector without one). Raises a ValueError, in one sentence, for what can be
    checked without loading a network or going online, such as a missing file."""
    make: Callable[[str, DetectorParams, str], Detector]
    """Takes the same and a device (`auto`, `cpu`, `cuda`), and loads the models. Raises a ValueError or a
    FileNotFoundError where they cannot be loaded."""
