"""Detector `figures`: the exact checker of the miniature's drawn people."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from anomend.detectors.observation import Observation
from anomend.miniature.anatomy import check, part_masks


def look(image: NDArray[np.uint8]) -> Observation:
    """The figure in a drawing: its pixels, and what is wrong with it.

    Persons are torsos: a torso that is missing or doubled is counted as nobody or several.
    """
    found = check(image)
    region = np.logical_or.reduce(list(part_masks(image).values()))
    return Observation(
        persons=found.counts["torso"],
        region=region if found.counts["torso"] and region.any() else None,
        anomalies=found.anomalies,
    )
