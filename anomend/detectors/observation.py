"""What a detector tells about one image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""RGB, (H, W, 3)."""
Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""


@dataclass(frozen=True)
class Observation:
    """The people in an image; None is a question that the detector does not answer."""

    persons: int | None = None
    """How many people."""
    region: NDArray[np.bool_] | None = None
    """Pixels of the largest person, (H, W); None where there is nobody, or only a face."""
    anatomy: float | None = None
    """Confidence in the largest person's key points, 0 to 1. Detectable is not correct: see the detector."""
    hands: float | None = None
    """Confidence in that person's clearest hand, 0 to 1; None where no hand is in the picture."""
    anomalies: tuple[str, ...] = ()
    """What is certainly wrong, such as missing_arm."""

    def __post_init__(self) -> None:
        if self.region is not None and not self.region.any():
            raise ValueError("a person's region holds no pixel: pass None")


def bounds(region: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom (exclusive) of a region of one pixel or more."""
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
