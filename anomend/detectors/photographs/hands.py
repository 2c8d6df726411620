"""How clearly a person's hands can be made out.

Clasped hands appear as one, so nothing here counts hands. A detected hand may still be anatomically wrong.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from anomend.detectors.photographs.detection import SHAPES, Points, detect
from anomend.detectors.photographs.networks import Network
from anomend.detectors.photographs.pose import ELBOWS, WRISTS, Body

VISIBLE = 0.5
"""Least visibility of a wrist for its hand to be expected."""
REACH = 1.5
"""Half the side of the square around a hand, in lengths of the forearm; at least an eighth of the picture."""
BEYOND = 0.3
"""The hand's middle lies beyond the wrist by this share of the forearm."""


def clearest_hand(networks: Mapping[str, Network], image: NDArray[np.uint8], body: Body) -> float | None:
    """Score of the clearest palm, 0 to 1: in the whole picture, or in a square around a wrist.

    Returns:
        None where no wrist can be seen in the picture, so that no hand is to be expected.
    """
    height, width = image.shape[:2]
    expected = [
        (elbow, wrist)
        for elbow, wrist in zip(ELBOWS, WRISTS, strict=True)
        if body.visibility[wrist] >= VISIBLE and _inside(body.points[wrist], height, width)
    ]
    if not expected:
        return None
    scores = [
        0.0,
        *(palm.score for palm in detect(network=networks["palms"], shape=SHAPES["palms"], image=image, least=0.1)),
    ]
    for elbow, wrist in expected:
        forearm = body.points[wrist] - body.points[elbow]
        middle = body.points[wrist] + BEYOND * forearm
        reach = max(REACH / 2 * float(np.hypot(*forearm)), max(height, width) / 8)
        left, top = np.maximum(np.round(middle - reach).astype(int), 0)
        right, bottom = np.minimum(np.round(middle + reach).astype(int), [width, height])
        if right - left > 16 and bottom - top > 16:
            part = np.ascontiguousarray(image[top:bottom, left:right])
            scores += [
                palm.score for palm in detect(network=networks["palms"], shape=SHAPES["palms"], image=part, least=0.1)
            ]
    return max(scores)


def _inside(point: Points, height: int, width: int) -> bool:
    return bool(0 <= point[0] < width and 0 <= point[1] < height)
