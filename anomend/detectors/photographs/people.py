"""How many people are in a picture.

No single network tells: the one for people misses small ones next to a large one, and on a part of a picture it takes
a lap for a person. So the whole picture is searched for bodies, and overlapping parts of it for bodies and for faces; a
body in a part counts where no person is known yet, a face where no head is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomend.detectors.observation import bounds
from anomend.detectors.photographs.detection import SHAPES, Detection, Points, detect
from anomend.detectors.photographs.networks import Network
from anomend.detectors.photographs.pose import Body, find_body

WHOLE_SCORE, PART_SCORE, FACE_SCORE = 0.5, 0.6, 0.6
"""Least scores of a body in the whole picture, a body in a part of it, and a face anywhere."""
PRESENCE = 0.5
"""Least probability of a person in the square around a body."""
SMALLEST_PART = 32
"""Pixels."""
SAME_HEAD = 0.75
"""Heads nearer to each other than this share of the larger one's size are one head."""


@dataclass(frozen=True)
class Person:
    """Someone in a picture."""

    head: Points
    """Where the nose, or the face's middle, is, (2,)."""
    size: float
    """Size of the head, pixels."""
    body: Body | None
    """None where only a face was found."""


def find_people(networks: Mapping[str, Network], image: NDArray[np.uint8]) -> list[Person]:
    """Everyone in an RGB picture (H, W, 3): first those whose bodies are seen in the whole, then those in its parts."""
    height, width = image.shape[:2]
    people: list[Person] = []
    for body in _bodies(
        networks, image, detect(network=networks["people"], shape=SHAPES["people"], image=image, least=WHOLE_SCORE)
    ):
        person = Person(body.nose, body.head, body)
        if not any(_same_head(person, other) for other in people):
            people.append(person)
    in_parts: list[Detection] = []
    faces = detect(network=networks["faces"], shape=SHAPES["faces"], image=image, least=FACE_SCORE)
    for left, top, side in parts(height, width):
        part = np.ascontiguousarray(image[top : top + side, left : left + side])
        in_parts += [
            d.moved(left, top)
            for d in detect(network=networks["people"], shape=SHAPES["people"], image=part, least=PART_SCORE)
        ]
        faces += [
            d.moved(left, top)
            for d in detect(network=networks["faces"], shape=SHAPES["faces"], image=part, least=FACE_SCORE)
        ]
    for body in _bodies(networks, image, sorted(in_parts, key=lambda detection: -detection.score)):
        if not any(_holds(person, body.nose) for person in people):
            people.append(Person(body.nose, body.head, body))
    for face in sorted(faces, key=lambda detection: -detection.score):
        person = Person(face.centre, float(face.size[0]), None)
        if not any(_same_head(person, other) for other in people):
            people.append(person)
    return people


def parts(height: int, width: int) -> Iterator[tuple[int, int, int]]:
    """Squares of half the longer side, or of the shorter one, overlapping by half or more: left, top, side.

    There are none in a picture so small, or so narrow, that a part of it would show no person.
    """
    side = min(max(height, width) // 2, height, width)
    if side < SMALLEST_PART:
        return
    for top in _starts(height, side):
        for left in _starts(width, side):
            yield left, top, side


def _starts(length: int, side: int) -> list[int]:
    """Where parts of one side begin along a length, each half a part after the one before, or less."""
    count = -(-2 * length // side) - 1
    return sorted({round(place * (length - side) / max(1, count - 1)) for place in range(count)})


def _bodies(networks: Mapping[str, Network], image: NDArray[np.uint8], detections: list[Detection]) -> Iterator[Body]:
    """The bodies of detected people, without those that the pose network does not confirm."""
    for detection in detections:
        body = find_body(networks["pose"], image, detection)
        if body.presence >= PRESENCE and body.region.any():
            yield body


def _same_head(first: Person, second: Person) -> bool:
    return float(np.hypot(*(first.head - second.head))) < SAME_HEAD * max(first.size, second.size)


def _holds(person: Person, point: Points) -> bool:
    """Whether a point lies within someone's extent, where a part of the picture may have taken a limb for a person."""
    if person.body is None:
        return float(np.hypot(*(person.head - point))) < person.size
    left, top, right, bottom = bounds(person.body.region)
    return bool(left <= point[0] <= right and top <= point[1] <= bottom)
