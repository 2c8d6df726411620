"""What an anatomy detector is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Look = Callable[[NDArray[np.uint8]], tuple[str, ...]]
"""RGB image (H, W, 3) of uint8 -> its anomalies, such as ("missing_arm", "extra_leg"); empty for a right one."""


@dataclass(frozen=True)
class Detector:
    """Who looks at the anatomy of an image."""

    kinds: tuple[str, ...]
    """Every anomaly it can report, so that two sets have the same keys whichever of them occur."""
    look: Look
    """Loads what it needs at the first image."""
    caution: str | None = None
    """Why its anomalies are no proof of wrong anatomy, as the rest of a sentence that begins with `it`; a verdict then
    does not rest on them."""
    source: str | None = None
    """Package, or repository or folder with revision, of its weights; None without any."""
    licence: str | None = None
    """Of its weights."""

    def provenance(self) -> dict[str, str]:
        """What a metric file says about it beside its name."""
        known = {
            "detector_source": self.source,
            "detector_licence": self.licence,
            "detector_caution": self.caution,
        }
        return {name: words for name, words in known.items() if words}
