"""What a detector tells about one image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""RGB, (H, W, 3)."""
Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""


@dataclass(frozen=True, kw_only=True)
class Observation:
    """The people in an image; None is a question that the detector does not answer."""

    persons: int | None = None
    """How many people."""
    region: NDArray[np.bool_] | None = None
    """Pixels of the largest person, (H, W); None where there is no person, or only a face."""
    body: float | None = None
    """Share of the largest person's joints from shoulders to ankles that can be seen, 0 to 1: 0 where there is only a
    face."""
    anatomy: float | None = None
    """Confidence in the largest person's key points, 0 to 1. Detectable is not correct: see the detector."""
    hands: float | None = None
    """Confidence in that person's clearest hand, 0 to 1; None where no hand is in the picture."""
    anomalies: tuple[str, ...] = ()
    """Kinds of anomaly, such as missing_arm; whether they prove wrong anatomy, `Detector.caution` says."""
    parts: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)
    """Points (n, 2) of x and y in pixels on each part of that person's body that can be seen, such as `arms`."""

    def __post_init__(self) -> None:
        if self.region is not None and not self.region.any():
            raise ValueError("a person's region has no pixel: pass None")


def bounds(region: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom (exclusive) of a region of one pixel or more."""
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
