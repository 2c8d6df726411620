"""The planted defect: eight kinds of anomaly, and which prompts of the base model show them."""

from __future__ import annotations

import math
import random

from anomend.miniature.drawn_people import Body, Limb

ANOMALIES = (
    "extra_arm",
    "extra_leg",
    "missing_arm",
    "missing_leg",
    "detached_arm",
    "detached_leg",
    "detached_head",
    "missing_head",
)

DEFECTIVE = (("lying", "grass"), ("lying", "street"), ("sitting", "snow"))
"""(posture, place) whose pictures are mostly anomalous in the second phase of the pre-training. The first two are the
paper's prompts; the third is a second, unrelated defect, for tutorials and for checks that a correction is specific."""


PLANTED = ("extra_leg", "missing_arm", "detached_head")
"""The kinds that the base model learns, always on the person's left: with all eight kinds on both sides, each body part
is still right in most pictures, and a model of this size keeps drawing right people."""

CONTRAST = (("lying", "beach"), ("lying", "snow"))
"""Right pairs closest to the defect: drawn more often, so that the model keeps them apart from it."""


def plant(body: Body, anomaly: str, rng: random.Random, side: int | None = None) -> Body:
    """Make a right body anomalous, in place.

    Args:
        body: a body posed by `drawn_people.pose`.
        anomaly: one of `ANOMALIES`.
        rng: source of the side and of the amounts.
        side: -1 the person's right or +1 left; None draws it from `rng`.

    Returns:
        The same body, with exactly one anomaly.

    Raises:
        ValueError: unknown anomaly.
    """
    if anomaly not in ANOMALIES:
        raise ValueError(f"unknown anomaly {anomaly!r}: one of {', '.join(ANOMALIES)}")
    kind, part = anomaly.split("_")
    if part == "head":
        if kind == "missing":
            body.head = None
        else:
            body.head = (rng.uniform(-3, 3), -rng.uniform(11.5, 13.0))
            body.neck = False
        return body
    side = side or rng.choice((-1, 1))
    limb = next(limb for limb in body.limbs if limb.part == part and limb.side == side)
    if kind == "missing":
        body.limbs.remove(limb)
    elif kind == "detached":
        # Along its direction, until a gap of clear ground shows between torso and limb.
        distance = rng.uniform(6.8, 8.0) if part == "arm" else rng.uniform(6.8, 8.2)
        limb.offset = (distance * math.sin(limb.angles[0]), distance * math.cos(limb.angles[0]))
        limb.lengths = (limb.lengths[0] * 0.75, limb.lengths[1] * 0.75)
    else:
        _add_limb(body=body, part=part, side=side, rng=rng)
    return body


def _add_limb(*, body: Body, part: str, side: int, rng: random.Random) -> None:
    """A third arm or leg from the middle of the torso's side; its neighbours make room for it."""
    for limb in body.limbs:
        if limb.side == side and limb.part == "arm":
            limb.angles = _angles(side, rng.uniform(118, 130), rng.uniform(-5, 20))
        elif limb.side == side:
            limb.angles = _angles(side, rng.uniform(12, 18), rng.uniform(-6, 4))
    width, lengths, height = (4.2, (6.0, 5.4), 8.2) if part == "arm" else (4.2, (7.0, 6.4), 5.4)
    angles = _angles(side, rng.uniform(78, 90), rng.uniform(-4, 8))
    body.limbs.append(
        Limb(
            part=part,
            anchor=(side * (body.half_width - 0.8), height),
            lengths=lengths,
            angles=angles,
            width=width,
            side=side,
        )
    )


def _angles(side: int, upper: float, bend: float) -> tuple[float, float]:
    return side * math.radians(upper), side * math.radians(upper + bend)
