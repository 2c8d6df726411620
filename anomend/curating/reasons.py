"""Why an image is not kept: which criteria it misses, and which better image it nearly repeats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from anomend.curating.picture_metrics import Hashes, hash_distance
from anomend.detectors.criteria import Criteria


@dataclass(frozen=True, kw_only=True)
class ImageMetrics:
    """The measurements of one image that criteria set thresholds for; None is unknown."""

    side: int
    """Shorter side in pixels."""
    sharpness: float
    persons: int | None = None
    area: float | None = None
    inside: float | None = None
    background: float | None = None
    body: float | None = None
    anatomy: float | None = None
    hands: float | None = None
    anomalies: tuple[str, ...] = ()


Reasons = dict[str, str]
"""Criterion to a few words for the reader; empty: the image is kept."""


def reasons_against(metrics: ImageMetrics, criteria: Criteria) -> Reasons:
    """Every criterion that an image misses by itself, with its measurement and the threshold."""
    reasons: Reasons = {}
    if criteria.one_person and metrics.persons is not None and metrics.persons != 1:
        reasons["persons"] = "nobody" if metrics.persons == 0 else f"{metrics.persons} people"
    if metrics.anomalies:
        reasons["anomalies"] = " ".join(metrics.anomalies)
    minima = [
        ("side", "low resolution", metrics.side, criteria.min_side),
        ("area", "small person", metrics.area, criteria.min_area),
        ("inside", "cut by the square", metrics.inside, criteria.min_inside),
        ("sharpness", "blurred", metrics.sharpness, criteria.min_sharpness),
        ("body", "little of the body", metrics.body, criteria.min_body),
        ("anatomy", "unclear body", metrics.anatomy, criteria.min_anatomy),
        ("hands", "unclear hands", metrics.hands, criteria.min_hands),
    ]
    for name, words, value, least in minima:
        if value is not None and least is not None and value < least:
            reasons[name] = f"{words} ({round(value, 3):g} < {least:g})"
    most = criteria.max_background
    if metrics.background is not None and most is not None and metrics.background > most:
        reasons["background"] = f"busy background ({round(metrics.background, 3):g} > {most:g})"
    return reasons


def duplicates(
    *, hashes: Sequence[Hashes], good: Sequence[bool], quality: Sequence[tuple[float, ...]], least: Sequence[int | None]
) -> dict[int, tuple[int, int]]:
    """Images that nearly repeat a better one.

    Args:
        hashes: of every image.
        good: whether the image is a candidate at all; others neither repeat nor are repeated.
        quality: sorts the images; of two that are alike the higher one stays, of equals the first.
        least: bits by which an image must differ from each one that stays; None sets no limit.

    Returns:
        Row of each repeated image to (row of the one that stays, bits between them).
    """
    order = sorted((row for row in range(len(hashes)) if good[row]), key=lambda row: (quality[row], -row), reverse=True)
    staying: list[int] = []
    repeated: dict[int, tuple[int, int]] = {}
    for row in order:
        limit = least[row]
        distances = [(hash_distance(hashes[row], hashes[other]), other) for other in staying]
        if limit is not None and distances and min(distances)[0] < limit:
            bits, other = min(distances)
            repeated[row] = (other, bits)
        else:
            staying.append(row)
    return repeated
