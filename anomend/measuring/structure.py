"""Structural similarity for finding copies: do two pictures show the same shapes in the same places?

Features of a network tell subjects apart and ignore differences between pictures of one subject. So on a narrow set
(one subject, one drawing style) they rarely find a copy. Plain correlation at a low resolution does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from anomend.measuring.pictures import checked

SIDE, SHIFT = 32, 2
"""Pictures are compared at 32 x 32, shifted against each other by up to two of these pixels."""


def thumbnails(images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """Images of any size at SIDE x SIDE, every pixel the mean of the area it covers; (n, SIDE, SIDE, 3), 0 to 255.

    Raises:
        ValueError: an image is not RGB or grey of uint8.
    """
    small = [
        Image.fromarray(checked(image)).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX) for image in images
    ]
    return np.stack([np.asarray(image, dtype=np.float64) for image in small]) if small else np.empty((0, SIDE, SIDE, 3))


def structural_distance(samples: NDArray[np.float64], instances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance between thumbnails, the least over mirroring and shifts: sqrt(2 (1 - r)) for Pearson's r of all values.

    It is the Euclidean distance of the pictures after each is centred and scaled to length 1, so brightness and
    contrast do not matter.

    Args:
        samples: thumbnails, (n, SIDE, SIDE, 3).
        instances: thumbnails, (m, SIDE, SIDE, 3).

    Returns:
        (n, m), from 0 (the same picture) to 2; unrelated pictures are near sqrt(2). Pictures of a single
        colour count as the same picture, and are sqrt(2) away from all others.
    """
    centre = slice(SHIFT, SIDE - SHIFT)
    windows = _standardised(samples[:, centre, centre])
    best = np.full((len(samples), len(instances)), -1.0)
    size = SIDE - 2 * SHIFT
    for column, instance in enumerate(instances):
        shifted = [
            view[top : top + size, left : left + size]
            for view in (instance, instance[:, ::-1])
            for top in range(2 * SHIFT + 1)
            for left in range(2 * SHIFT + 1)
        ]
        best[:, column] = (windows @ _standardised(np.stack(shifted)).T).max(axis=1)
    best[np.ix_(_plain(samples), _plain(instances))] = 1
    # Rounding may bring r a little above 1.
    return np.asarray(np.sqrt(np.maximum(0.0, 2 * (1 - best))))


def _plain(pictures: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.asarray(np.ptp(pictures, axis=(1, 2)).max(axis=1, initial=0) == 0)


def _standardised(pictures: NDArray[np.float64]) -> NDArray[np.float64]:
    flat = pictures.reshape(len(pictures), int(np.prod(pictures.shape[1:])))
    centred = flat - flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.divide(centred, length, out=np.zeros_like(centred), where=length > 1e-9)
