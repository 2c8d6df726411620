"""The exact anatomy checker of the miniature world.

Every part has a hue of its own, so a drawn person is right when its picture has one torso, one head, two arms and two
legs as connected regions, each of them touching the torso.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.color import rgb2hsv
from skimage.measure import label

EXPECTED = {"torso": 1, "head": 1, "arm": 2, "leg": 2}
MIN_AREA = {"torso": 30, "head": 16, "arm": 10, "leg": 12}
"""Regions smaller than this (pixels) are anti-aliasing or decoder noise, not parts."""

_EIGHT = np.ones((3, 3), dtype=bool)


@dataclass(frozen=True)
class Anatomy:
    """What the checker counts in one picture."""

    counts: dict[str, int]
    """Regions per kind of part."""
    anomalies: tuple[str, ...]
    """`missing_X`, `extra_X` or `detached_X` for X in torso, head, arm, leg; empty for right anatomy."""

    @property
    def anomalous(self) -> bool:
        return bool(self.anomalies)


def part_masks(image: NDArray[np.uint8]) -> dict[str, NDArray[np.bool_]]:
    """Pixels of each kind of part, by hue, saturation and value.

    Args:
        image: RGB, shape (H, W, 3), uint8.

    Returns:
        One boolean mask of shape (H, W) per part.
    """
    hsv = rgb2hsv(image)
    hue, saturation, value = hsv[..., 0] * 360, hsv[..., 1], hsv[..., 2]
    vivid = (saturation > 0.52) & (value >= 0.30)
    return {
        "torso": value < 0.30,
        "head": vivid & (hue >= 32) & (hue < 66),
        "arm": vivid & ((hue > 335) | (hue < 22)),
        "leg": vivid & (hue > 205) & (hue < 255),
    }


def check(image: NDArray[np.uint8]) -> Anatomy:
    """Count the parts of the drawn person in a picture and test that each touches the torso.

    Args:
        image: RGB, shape (64, 64, 3), uint8.

    Returns:
        The counts and the anomalies. A picture without a torso is anomalous whatever else it shows.

    Raises:
        ValueError: the array is not an RGB image of 8 bits.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"expected an RGB image of uint8, got shape {image.shape} and dtype {image.dtype}")
    regions = {part: _regions(mask, MIN_AREA[part]) for part, mask in part_masks(image).items()}
    anomalies = []
    for part, expected in EXPECTED.items():
        count = len(regions[part])
        if count != expected:
            anomalies.append(f"{'missing' if count < expected else 'extra'}_{part}")
    if regions["torso"]:
        torso = max(regions["torso"], key=np.count_nonzero)
        # Edges between two parts mix their colours: a gap of three pixels still counts as touching.
        reach = ndimage.binary_dilation(torso, _EIGHT, iterations=3)
        for part in ("head", "arm", "leg"):
            if any(not (region & reach).any() for region in regions[part]):
                anomalies.append(f"detached_{part}")
    return Anatomy({part: len(each) for part, each in regions.items()}, tuple(anomalies))


def _regions(mask: NDArray[np.bool_], min_area: int) -> list[NDArray[np.bool_]]:
    labelled = label(mask, connectivity=2)
    areas = np.bincount(labelled.ravel())
    return [labelled == index for index in range(1, len(areas)) if areas[index] >= min_area]
