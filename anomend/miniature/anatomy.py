"""The anatomy checker of the miniature world.

Every part has a hue of its own. A drawn person is right when its picture has one torso, one head, two arms and two
legs, each of them touching the torso. Arms and legs that are fused are told apart by their ends (`limbs`); two from one
side of the torso are an extra and a missing one. How often the checker errs is measured in studies/checker.

It judges neither length nor bend, since no drawn person has a limb of wrong length or one bent the wrong way, and the
elbows of right ones bend both ways: a stump that touches the torso is a limb. Two limbs that lie on each other up to
their ends count as one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.color import rgb2hsv
from skimage.measure import label

from anomend.miniature.limbs import LimbKind, count_limbs

EXPECTED = {"torso": 1, "head": 1, "arm": 2, "leg": 2}
MIN_AREA = {"torso": 30, "head": 16, "arm": 10, "leg": 12}
"""Regions smaller than this (pixels) are anti-aliasing or decoder noise, not parts."""
LIMBS = {"arm": LimbKind(area=0.64, spare=0.2, span=1.3), "leg": LimbKind(area=1.02, spare=0.5, span=1.15)}
"""`spare`: knees have bumps that elbows do not have."""
CORE_SATURATION = 0.7
"""A limb's own colour has 0.8; anti-aliased edges have less."""

_EIGHT = np.ones((3, 3), dtype=bool)


@dataclass(frozen=True)
class Anatomy:
    """What the checker sees in one picture."""

    counts: dict[str, int]
    """How many of each kind of part."""
    anomalies: tuple[str, ...]
    """`missing_X`, `extra_X` or `detached_X` for X in torso, head, arm, leg; empty for right anatomy. Two
    limbs from one side of the torso and none from the other are both missing and extra."""
    masks: dict[str, NDArray[np.bool_]] = field(compare=False, repr=False)
    """Pixels of each kind of part, as `part_masks` returns them."""

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
    return _masks(rgb2hsv(image))


def check(image: NDArray[np.uint8]) -> Anatomy:
    """Count the parts of the drawn person in a picture and test that each touches the torso.

    Args:
        image: RGB, shape (64, 64, 3), uint8.

    Returns:
        The counts and the anomalies. A picture without a torso is anomalous whatever else it shows.

    Raises:
        ValueError: the array is not an RGB image of 8 bits.
    """
    return _check(image, fused=True)


def check_regions(image: NDArray[np.uint8]) -> Anatomy:
    """The same by connected regions alone: limbs that are fused count as one.

    It decides which drawn pictures the base model is pre-trained on, which were chosen before fused limbs were counted.
    """
    return _check(image, fused=False)


def _check(image: NDArray[np.uint8], *, fused: bool) -> Anatomy:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"expected an RGB image of uint8, got shape {image.shape} and dtype {image.dtype}")
    hsv = rgb2hsv(image)
    masks = _masks(hsv)
    regions = {part: _regions(mask, MIN_AREA[part]) for part, mask in masks.items()}
    counts = {part: len(each) for part, each in regions.items()}
    sides, detached = dict(counts), []
    if regions["torso"]:
        torso = max(regions["torso"], key=np.count_nonzero)
        # Edges between two parts mix their colours: a gap of three pixels still counts as touching.
        reach = ndimage.binary_dilation(torso, _EIGHT, iterations=3)
        for part in ("head", "arm", "leg"):
            if any(not (region & reach).any() for region in regions[part]):
                detached.append(f"detached_{part}")
        if fused:
            core, area = hsv[..., 1] > CORE_SATURATION, int(np.count_nonzero(torso))
            for part, kind in LIMBS.items():
                counts[part], sides[part] = count_limbs(regions[part], kind, core=core, torso=reach, torso_area=area)
    wrong = []
    for part, expected in EXPECTED.items():
        if sides[part] < expected:
            wrong.append(f"missing_{part}")
        if counts[part] > min(expected, sides[part]):
            wrong.append(f"extra_{part}")
    return Anatomy(counts, (*wrong, *detached), masks)


def _masks(hsv: NDArray[np.float64]) -> dict[str, NDArray[np.bool_]]:
    hue, saturation, value = hsv[..., 0] * 360, hsv[..., 1], hsv[..., 2]
    vivid = (saturation > 0.52) & (value >= 0.30)
    return {
        "torso": value < 0.30,
        "head": vivid & (hue >= 32) & (hue < 66),
        "arm": vivid & ((hue > 335) | (hue < 22)),
        "leg": vivid & (hue > 205) & (hue < 255),
    }


def _regions(mask: NDArray[np.bool_], min_area: int) -> list[NDArray[np.bool_]]:
    labelled = label(mask, connectivity=2)
    areas = np.bincount(labelled.ravel())
    return [labelled == index for index in range(1, len(areas)) if areas[index] >= min_area]
