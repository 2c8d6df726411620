"""Detector `photographs`: people, their bodies and hands, by networks that run offline on a CPU.

The networks are MediaPipe's (Apache-2.0), read out of its wheel and run by LiteRT; MediaPipe itself is not installed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anomend.detectors.observation import Observation
from anomend.detectors.photographs.hands import clearest_hand
from anomend.detectors.photographs.networks import load_networks
from anomend.detectors.photographs.people import find_people
from anomend.detectors.photographs.pose import body_confidence


def make_look(folder: Path) -> Callable[[NDArray[np.uint8]], Observation]:
    """The detector, its networks loaded once.

    Args:
        folder: what `python -m commands.fetch_photograph_networks` filled.

    Raises:
        FileNotFoundError: a network is missing.
        ValueError: a file is not the published one.
    """
    networks = load_networks(folder)

    def look(image: NDArray[np.uint8]) -> Observation:
        people = find_people(networks, image)
        bodies = [person.body for person in people if person.body is not None]
        if not bodies:
            # A face without a body is somebody, but nobody to learn a body from.
            return Observation(persons=len(people))
        body = max(bodies, key=lambda body: body.region.sum())
        return Observation(
            persons=len(people),
            region=body.region if body.region.any() else None,
            anatomy=body_confidence(body, image.shape[0], image.shape[1]),
            hands=clearest_hand(networks, image, body),
        )

    return look
