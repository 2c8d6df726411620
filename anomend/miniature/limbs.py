"""How many limbs a region of a limb's colour shows: limbs that are fused have ends of their own.

The distance from the torso, measured inside the region, rises along each limb up to its end. Where two limbs part, the
distance has two hills: an end is a hill, and how far it rises above the place where it meets a higher one says how far
the limb stands free.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist
from skimage.measure import label

Mask = NDArray[np.bool_]

FREE = 2
"""Pixels for which a limb stands free of the one that it is fused with. Right limbs rarely have bumps above one."""


@dataclass(frozen=True, kw_only=True)
class LimbKind:
    """What arms, or legs, look like; measured on right people, in units of the torso's dark area or of its root."""

    area: float
    """Area of one limb."""
    spare: float
    """Area of a region that is left over for another limb, in limbs: above it, one pixel less has to stand free."""
    span: float
    """Distance of the roots that are farthest apart: below it, all limbs come from one side of the torso."""


def count_limbs(regions: list[Mask], kind: LimbKind, *, core: Mask, torso: Mask, torso_area: int) -> tuple[int, int]:
    """Count the limbs of one kind, arms or legs, and the sides of the torso that they come from.

    Args:
        regions: connected regions of the kind's colour, each (H, W).
        kind: arms or legs.
        core: pixels without an admixture of another colour, (H, W): edges blur the gap between two limbs.
        torso: the torso and its surroundings, (H, W). A region that is apart from it counts as one limb.
        torso_area: the torso's dark pixels.

    Returns:
        The number of limbs; and of the torso's sides that have one, 0 to 2, plus the limbs that are apart from it.
    """
    if not regions:
        return 0, 0
    number = np.zeros(core.shape, dtype=np.intp)
    for index, region in enumerate(regions):
        number[region] = index + 1
    ends = free_ends(core & (number > 0), torso, number)
    attached, apart = 0, 0
    for index, region in enumerate(regions):
        if not (region & torso).any():
            apart += 1
            continue
        limbs, area = 1, int(np.count_nonzero(region)) / (kind.area * torso_area)
        for free in sorted(ends[index + 1], reverse=True)[1:]:
            limbs += free >= FREE - (area - limbs > kind.spare)
        attached += limbs
    sides = 2 if _extent((number > 0) & torso) > kind.span * torso_area**0.5 else 1
    return attached + apart, min(attached, sides) + apart


def _extent(mask: Mask) -> float:
    """Distance of the two pixels that are farthest apart; 0 without any."""
    points = np.argwhere(mask)
    return float(pdist(points).max()) if len(points) > 1 else 0.0


def free_ends(mask: Mask, start: Mask, number: NDArray[np.intp]) -> dict[int, list[int]]:
    """How far each end stands free, in pixels, by the number of its region.

    Args:
        mask: pixels to walk on, (H, W).
        start: where distances are 0, (H, W); what cannot be reached from there is left out.
        number: number of each pixel's region, (H, W).
    """
    distance = _distances(mask, start)
    bands = label(distance, background=-1, connectivity=2)
    count = int(bands.max())
    _, first = np.unique(bands, return_index=True)
    first = first[-count:] if count else first[:0]
    heights, owners = [-1, *distance.flat[first].tolist()], [0, *number.flat[first].tolist()]
    neighbours = _neighbours(bands)
    # From the highest band down, bands join to hills; where two hills meet, the lower one ends.
    hill, ends = list(range(count + 1)), defaultdict(list)

    def top(band: int) -> int:
        while hill[band] != band:
            band = hill[band]
        return band

    for band in sorted(range(1, count + 1), key=heights.__getitem__, reverse=True):
        for other in neighbours[band]:
            if heights[other] > heights[band] and (one := top(band)) != (two := top(other)):
                lower, higher = sorted((one, two), key=heights.__getitem__)
                hill[lower] = higher
                if heights[lower] > heights[band]:
                    ends[owners[lower]].append(heights[lower] - heights[band])
    for band in range(1, count + 1):
        if hill[band] == band:
            ends[owners[band]].append(heights[band] + 1)
    return ends


def _distances(mask: Mask, start: Mask) -> NDArray[np.int16]:
    """Steps from `start` inside the mask, (H, W); -1 where there is no way. Every other step may be diagonal."""
    distance = np.full(mask.shape, -1, dtype=np.int16)
    reached = mask & start
    distance[reached] = 0
    step = 0
    while True:
        step += 1
        wider = reached.copy()
        wider[1:] |= reached[:-1]
        wider[:-1] |= reached[1:]
        beside = wider if step % 2 == 0 else reached
        new = wider.copy()
        new[:, 1:] |= beside[:, :-1]
        new[:, :-1] |= beside[:, 1:]
        new &= mask
        new &= ~reached
        if not new.any():
            # The next step, which is diagonal, may get on where a straight one does not.
            if step % 2 == 0:
                return distance
            continue
        distance[new] = step
        reached |= new


def _neighbours(bands: NDArray[np.intp]) -> dict[int, set[int]]:
    """Bands that touch each band, also at a corner; 0 is no band."""
    touching: defaultdict[int, set[int]] = defaultdict(set)
    for one, other in (
        (bands[1:], bands[:-1]),
        (bands[:, 1:], bands[:, :-1]),
        (bands[1:, 1:], bands[:-1, :-1]),
        (bands[1:, :-1], bands[:-1, 1:]),
    ):
        pairs = (one != other) & (one > 0) & (other > 0)
        for first, second in zip(one[pairs].tolist(), other[pairs].tolist(), strict=True):
            touching[first].add(second)
            touching[second].add(first)
    return touching
