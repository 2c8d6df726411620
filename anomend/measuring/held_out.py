"""False alarms of a detector of copies: show it each instance image, calibrated on the others."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def nearest_others(distances: Floats) -> Floats:
    """Distances of each image to its nearest and its second nearest other one, shape (2, m); infinite where is none.

    Args:
        distances: of every image to every image, shape (m, m); an image's distance to itself is not looked at.
    """
    among = distances.copy()
    np.fill_diagonal(among, np.inf)
    padded = np.pad(among, ((0, 0), (0, 2)), constant_values=np.inf)
    return np.asarray(np.partition(padded, 1, axis=1)[:, :2].T)


def held_out_rate(distances: Floats, threshold: Callable[[Floats], float]) -> float | None:
    """Share of images that are nearer to another one than the threshold that is taken from all others.

    Args:
        distances: as in `nearest_others`.
        threshold: from the distances of some images to their nearest other ones, the distance below which a picture is
            called a copy.

    Returns:
        From 0 to 1; None for fewer than three images, since the others need a distance among each other.
    """
    count = len(distances)
    if count < 3:
        return None
    nearest, second = nearest_others(distances)
    alarms = 0
    for left_out in range(count):
        # Whose nearest image is left out has the second nearest now.
        without = np.where(distances[:, left_out] <= nearest, second, nearest)
        alarms += int(nearest[left_out] < threshold(np.delete(without, left_out)))
    return alarms / count
