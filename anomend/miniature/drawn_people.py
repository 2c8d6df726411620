"""The people of the miniature world: who they are, how they are posed, and how they are drawn.

A person is a skeleton in body coordinates (x to the person's left, y from the neck towards the feet, in body units),
turned and scaled into the picture. Every kind of body part has its hue, so that `anatomy` can count parts.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from anomend.miniature.scenery import LIGHTS, OVERSAMPLING, PLACES, SIZE, Colour, draw_place, shade

POSTURES = ("standing", "sitting", "lying")
SUBJECTS = ("person", "man", "woman", "child")
SHIRTS: dict[str, Colour] = {
    "grey": (96, 96, 104),
    "white": (226, 226, 226),
    "mint": (176, 206, 190),
    "rose": (214, 178, 188),
}
"""Panels on the torso: pale, so that none can be taken for a limb or the head."""

PART_COLOURS: dict[str, Colour] = {
    "torso": (28, 28, 34),
    "arm": (222, 44, 40),
    "leg": (40, 70, 222),
    "head": (250, 196, 36),
}

TORSO_LENGTH = 13.0
SCALES = {"person": (1.13, 1.21), "man": (1.19, 1.27), "woman": (1.09, 1.17), "child": (0.97, 1.04)}
TORSO_HALF_WIDTHS = {"person": 4.7, "man": 5.0, "woman": 4.4, "child": 4.8}


@dataclass(frozen=True)
class Individual:
    """One person, recognisable from picture to picture."""

    subject: str
    shirt: str
    scale: float
    """Pixels for one body unit."""


@dataclass(frozen=True)
class Scene:
    """What a picture shows, apart from chance: the attributes that a caption can name, and who it is."""

    posture: str
    place: str
    light: str
    individual: Individual


@dataclass
class Limb:
    """Two segments from an anchor on the torso; angles in radians from the body axis (0 points to the feet)."""

    part: str
    anchor: tuple[float, float]
    lengths: tuple[float, float]
    angles: tuple[float, float]
    width: float
    side: int
    """-1 right, +1 left."""
    offset: tuple[float, float] = (0.0, 0.0)
    """Displacement of the whole limb in body units: not (0, 0) only for a detached limb."""


@dataclass
class Body:
    """A posed person in body coordinates."""

    half_width: float
    limbs: list[Limb] = field(default_factory=list)
    head: tuple[float, float] | None = (0.0, -6.2)
    """Centre of the head, or None where it is missing."""
    neck: bool = True


def sample_individual(rng: random.Random) -> Individual:
    """Draw a person at random."""
    subject = rng.choice(SUBJECTS)
    return Individual(subject, rng.choice(tuple(SHIRTS)), rng.uniform(*SCALES[subject]))


def sample_scene(
    rng: random.Random,
    posture: str | None = None,
    place: str | None = None,
    individual: Individual | None = None,
) -> Scene:
    """Draw a scene at random; what is given is kept."""
    return Scene(
        posture=posture or rng.choice(POSTURES),
        place=place or rng.choice(PLACES),
        light=rng.choice(LIGHTS),
        individual=individual or sample_individual(rng),
    )


def pose(scene: Scene, rng: random.Random) -> Body:
    """Pose a person with right anatomy: one head, two arms, two legs, all attached."""
    half_width = TORSO_HALF_WIDTHS[scene.individual.subject]
    body = Body(half_width)
    degrees = math.radians
    for side in (-1, 1):
        if scene.posture == "sitting":
            upper, lower = rng.uniform(66, 78), rng.uniform(-4, 12)
            anchor, lengths, width = (side * (half_width - 1.2), TORSO_LENGTH - 1.6), (9.0, 8.0), 4.6
        else:
            upper = rng.uniform(18, 28)
            lower = upper + rng.uniform(-8, 6)
            anchor, lengths, width = (side * (half_width - 1.3), TORSO_LENGTH - 0.8), (8.0, 7.6), 4.6
        angles = (side * degrees(upper), side * degrees(lower))
        body.limbs.append(Limb(part="leg", anchor=anchor, lengths=lengths, angles=angles, width=width, side=side))
    for side in (-1, 1):
        upper = rng.uniform(60, 95)
        lower = upper + rng.uniform(-25, 35)
        angles = (side * degrees(upper), side * degrees(lower))
        body.limbs.append(
            Limb(
                part="arm",
                anchor=(side * (half_width - 0.8), 2.2),
                lengths=(5.6, 5.4),
                angles=angles,
                width=4.2,
                side=side,
            )
        )
    return body


def place_in_picture(scene: Scene, rng: random.Random) -> tuple[float, float, float]:
    """Centre (pixels) and rotation (radians) of the body in the picture."""
    if scene.posture == "lying":
        rotation = rng.choice((-1, 1)) * math.radians(rng.uniform(84, 96))
        return 32 + rng.uniform(-3, 3), rng.uniform(37, 43), rotation
    y = rng.uniform(33, 36) if scene.posture == "standing" else rng.uniform(36, 40)
    return 32 + rng.uniform(-8, 8), y, math.radians(rng.uniform(-5, 5))


def draw_person(*, image: Image.Image, scene: Scene, body: Body, centre: tuple[float, float], rotation: float) -> None:
    """Draw a body into an oversampled picture, limbs behind the torso, the head on top."""
    draw = ImageDraw.Draw(image)
    scale = scene.individual.scale
    middle = 9.0 if scene.posture != "sitting" else 7.0
    cos, sin = math.cos(rotation), math.sin(rotation)

    def to_picture(point: tuple[float, float]) -> tuple[float, float]:
        x, y = point[0] * scale, (point[1] - middle) * scale
        return (centre[0] + x * cos - y * sin) * OVERSAMPLING, (centre[1] + x * sin + y * cos) * OVERSAMPLING

    def segment(start: tuple[float, float], end: tuple[float, float], width: float, colour: Colour) -> None:
        w = width * scale * OVERSAMPLING
        ends = [to_picture(start), to_picture(end)]
        draw.line(ends, fill=colour, width=round(w))
        for x, y in ends:
            draw.ellipse([x - w / 2, y - w / 2, x + w / 2, y + w / 2], fill=colour)

    def disc(point: tuple[float, float], radius: float, colour: Colour) -> None:
        x, y = to_picture(point)
        r = radius * scale * OVERSAMPLING
        draw.ellipse([x - r, y - r, x + r, y + r], fill=colour)

    for limb in body.limbs:
        colour = PART_COLOURS[limb.part]
        x, y = limb.anchor[0] + limb.offset[0], limb.anchor[1] + limb.offset[1]
        (upper, lower), (a, b) = limb.lengths, limb.angles
        joint = (x + upper * math.sin(a), y + upper * math.cos(a))
        tip = (joint[0] + lower * math.sin(b), joint[1] + lower * math.cos(b))
        segment((x, y), joint, limb.width, shade(colour, 0.94))
        segment(joint, tip, limb.width * 0.94, colour)
    head_colour = PART_COLOURS["head"]
    w = body.half_width
    torso = [(-w, 0.2), (w, 0.2), (w * 0.86, TORSO_LENGTH), (-w * 0.86, TORSO_LENGTH)]
    draw.polygon([to_picture(point) for point in torso], fill=PART_COLOURS["torso"])
    panel = [(-w * 0.36, 3.2), (w * 0.36, 3.2), (w * 0.33, TORSO_LENGTH - 3.0), (-w * 0.33, TORSO_LENGTH - 3.0)]
    draw.polygon([to_picture(point) for point in panel], fill=SHIRTS[scene.individual.shirt])
    if body.head is not None:
        if body.neck:
            segment((0, -4), (0, -0.9), 3.6, shade(head_colour, 0.9))
        disc(body.head, 5.0, shade(head_colour, 0.94))
        disc((body.head[0], body.head[1] - 0.6), 3.2, head_colour)


def render(scene: Scene, rng: random.Random, body: Body | None = None) -> NDArray[np.uint8]:
    """Draw a scene.

    Args:
        scene: what to draw.
        rng: source of pose, position and marks; the same state gives the same picture on one version of Pillow.
        body: the posed person; without one, a person with right anatomy is posed.

    Returns:
        RGB image, shape (64, 64, 3), uint8.
    """
    body = body or pose(scene, rng)
    x, y, rotation = place_in_picture(scene, rng)
    image = draw_place(scene.place, scene.light, rng)
    draw_person(image=image, scene=scene, body=body, centre=(x, y), rotation=rotation)
    reduced = image.reduce(OVERSAMPLING)
    assert reduced.size == (SIZE, SIZE)
    return np.asarray(reduced)
