"""The square of a picture that training sees."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from anomend.detectors.observation import bounds

Square = tuple[int, int, int]
"""Left, top and side, in pixels."""


def square(height: int, width: int, region: NDArray[np.bool_] | None) -> Square:
    """The largest square in a picture, as near to the person's middle as the picture's edges allow."""
    side = min(height, width)
    left, top, right, bottom = (0, 0, width, height) if region is None else bounds(region)
    x, y = (left + right - side) // 2, (top + bottom - side) // 2
    return min(max(x, 0), width - side), min(max(y, 0), height - side), side


def share_inside(region: NDArray[np.bool_]) -> float:
    """Share of a person that the square keeps: less than 1 for someone who lies across a wide picture."""
    height, width = region.shape
    left, top, side = square(height, width, region)
    return float(region[top : top + side, left : left + side].sum() / region.sum())


def framed(image: NDArray[np.uint8], cut: Square, resolution: int) -> NDArray[np.uint8]:
    """A square of a picture, scaled to `resolution`; one that already has this size keeps its pixels."""
    left, top, side = cut
    part = np.ascontiguousarray(image[top : top + side, left : left + side])
    if side == resolution:
        return part
    return np.asarray(Image.fromarray(part).resize((resolution, resolution), Image.Resampling.LANCZOS))
