"""False alarms of a detector of copies: it sees each instance image after calibration on the others."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def nearest_others(distances: Floats) -> Floats:
    """Distances of each image to its nearest and second nearest other image, shape (2, m); infinite if there is none.

    Args:
        distances: of every image to every image, shape (m, m); the diagonal is ignored.
    """
    among = distances.copy()
    np.fill_diagonal(among, np.inf)
    padded = np.pad(among, ((0, 0), (0, 2)), constant_values=np.inf)
    return np.asarray(np.partition(padded, 1, axis=1)[:, :2].T)


def held_out_rate(distances: Floats, threshold: Callable[[Floats], float]) -> float | None:
    """Share of images that are nearer to another image than the threshold computed without them.

    Args:
        distances: as in `nearest_others`.
        threshold: takes distances of images to their nearest other images, and returns the distance below which a
            picture is called a copy.

    Returns:
        From 0 to 1; None for fewer than three images, because the threshold needs two others.
    """
    count = len(distances)
    if count < 3:
        return None
    nearest, second = nearest_others(distances)
    alarms = 0
    for left_out in range(count):
        # Images whose nearest image is left out are nearest to their second nearest.
        without = np.where(distances[:, left_out] <= nearest, second, nearest)
        alarms += int(nearest[left_out] < threshold(np.delete(without, left_out)))
    return alarms / count
