"""Drawn people that vary more than those that the miniature learned from, right or with one known anomaly.

Every range that the generator draws from (pose, position, size, the amounts of an anomaly) is widened at both ends by a
tenth of its width. Each limb is up to a tenth thinner or thicker, and each channel of each part's colour is up to a
tenth darker or brighter. No checker sorts anything out: what a picture shows is known from how it was drawn.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from anomend.miniature.defects import ANOMALIES, plant
from anomend.miniature.drawn_people import PART_COLOURS, TORSO_LENGTH, Body, Limb, pose, render, sample_scene
from anomend.project.seeding import derived_seed

MARGIN = 0.1
RIGHT = "right"
FUSED = ("fused_arm", "fused_leg", "forked_arm", "forked_leg", "moved_arm", "moved_leg")
"""An extra limb that has its root in common with a neighbour (fused), an extra lower half of a limb (forked), and a
fused one on the neighbour's side while the limb of the other side is missing (moved)."""
KINDS = (RIGHT, *ANOMALIES, *FUSED)

CLEAR = 1.2
"""The end of a fused limb is this many limb widths or more from the middle of every other limb of its kind: at its end
a gap of a fifth of a width, about a pixel, or more shows that it is a limb of its own."""

HEAD_RADIUS = 5.0

Point = tuple[float, float]


class WiderRandom(random.Random):
    """Draws uniformly from ranges that are wider, at both ends, by a tenth of their width."""

    def uniform(self, a: float, b: float) -> float:
        margin = MARGIN * (b - a)
        return super().uniform(a - margin, b + margin)


def draw(kind: str, seed: int) -> NDArray[np.uint8]:
    """Draw one person, in any posture and place; the picture depends on kind and seed alone.

    Args:
        kind: one of `KINDS`.
        seed: number of the picture.

    Returns:
        RGB image, shape (64, 64, 3), uint8.
    """
    rng = WiderRandom(derived_seed("checker study", kind, seed))
    scene = sample_scene(rng)
    body = pose(scene, rng)
    if kind in ANOMALIES:
        plant(body, kind, rng)
    elif kind in FUSED:
        how, part = kind.split("_")
        _fuse(body, how, part, rng)
    for limb in body.limbs:
        limb.width *= _factor(rng)
    with _other_colours(rng):
        return render(scene, rng, body)


def anomaly_of(kind: str) -> str:
    """The anomaly that a right answer names for a kind: '' for right people, `extra_X` for fused and forked limbs."""
    if kind == RIGHT:
        return ""
    return f"extra_{kind.split('_')[1]}" if kind in FUSED else kind


def _factor(rng: random.Random) -> float:
    return 1 + MARGIN * (2 * rng.random() - 1)


@contextmanager
def _other_colours(rng: random.Random) -> Iterator[None]:
    """For a while, every channel of a part's colour is up to a tenth darker or brighter."""
    usual = dict(PART_COLOURS)
    try:
        for part, colour in usual.items():
            red, green, blue = (min(255, round(channel * _factor(rng))) for channel in colour)
            PART_COLOURS[part] = (red, green, blue)
        yield
    finally:
        PART_COLOURS.update(usual)


def _fuse(body: Body, how: str, part: str, rng: random.Random) -> None:
    """Add a limb of the part that grows out of one that is there.

    Its end is free: far from the limbs of its kind, and not under or over another part.
    """
    own = [limb for limb in body.limbs if limb.part == part]
    if how == "moved":
        body.limbs.remove(own.pop(rng.randrange(len(own))))
    while True:
        neighbour = rng.choice(own)
        upper, lower = neighbour.angles
        turn = rng.choice((-1, 1)) * math.radians(rng.uniform(75, 125) if how == "forked" else rng.uniform(25, 75))
        bend = math.radians(rng.uniform(-8, 8))
        limb = Limb(
            part=part,
            anchor=neighbour.anchor,
            lengths=neighbour.lengths,
            angles=(upper, lower + turn) if how == "forked" else (upper + turn, upper + turn + bend),
            width=neighbour.width,
            side=neighbour.side,
        )
        if how == "moved" and limb.side * _joints(limb)[2][0] < 0:
            continue  # Its end on the other side, it could pass for the missing one.
        if _is_free(limb, body):
            # Behind the arms, where the legs are.
            body.limbs.insert(body.limbs.index(neighbour), limb)
            return


def _is_free(limb: Limb, body: Body) -> bool:
    """Whether the limb's end and every other limb's end can be seen next to each other."""
    tip = _joints(limb)[2]
    for other in body.limbs:
        gap = (CLEAR if other.part == limb.part else 1.0) * limb.width
        if min(_distance_to_limb(tip, other), _distance_to_limb(_joints(other)[2], limb)) < gap:
            return False
    beside_torso = max(abs(tip[0]) - body.half_width, tip[1] - TORSO_LENGTH, -tip[1])
    return beside_torso > limb.width and (body.head is None or math.dist(tip, body.head) > HEAD_RADIUS + limb.width)


def _distance_to_limb(point: Point, limb: Limb) -> float:
    first, second, third = _joints(limb)
    return min(_distance(point, first, second), _distance(point, second, third))


def _joints(limb: Limb) -> tuple[Point, Point, Point]:
    """Anchor, elbow or knee, and end, in body units."""
    (a, b), (upper, lower) = limb.angles, limb.lengths
    first = (limb.anchor[0] + limb.offset[0], limb.anchor[1] + limb.offset[1])
    second = (first[0] + upper * math.sin(a), first[1] + upper * math.cos(a))
    return first, second, (second[0] + lower * math.sin(b), second[1] + lower * math.cos(b))


def _distance(point: Point, start: Point, end: Point) -> float:
    """From a point to a segment."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    share = ((point[0] - start[0]) * dx + (point[1] - start[1]) * dy) / (dx * dx + dy * dy)
    share = min(1.0, max(0.0, share))
    return math.dist(point, (start[0] + share * dx, start[1] + share * dy))
