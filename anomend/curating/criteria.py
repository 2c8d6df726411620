"""What an image must be like to be kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from anomend.curating.picture_metrics import Hashes, hash_distance


@dataclass(frozen=True)
class Criteria:
    """Thresholds; None asks nothing. An unknown figure never rejects an image."""

    one_person: bool = True
    """Exactly one person."""
    min_side: int | None = None
    """Shorter side in pixels."""
    min_area: float | None = None
    """The person's share of the picture."""
    min_inside: float | None = None
    """Share of the person that a square picture keeps."""
    max_background: float | None = None
    """Share of edge pixels in the background."""
    min_sharpness: float | None = None
    """Sharpness of the person."""
    min_anatomy: float | None = None
    """Confidence in the key points."""
    min_hands: float | None = None
    """Confidence in the clearest hand, where one is in the picture."""
    min_distance: int | None = None
    """Bits of the perceptual hash between two kept images."""

    def overlaid(self, changes: dict[str, Any]) -> Criteria:
        """These criteria with those of `changes` that are not None."""
        known = {field.name for field in fields(self)}
        return replace(self, **{key: value for key, value in changes.items() if value is not None and key in known})


@dataclass(frozen=True)
class Figures:
    """The figures of one image that criteria speak about."""

    side: int
    sharpness: float
    persons: int | None = None
    area: float | None = None
    inside: float | None = None
    background: float | None = None
    anatomy: float | None = None
    hands: float | None = None
    anomalies: tuple[str, ...] = ()


Reasons = dict[str, str]
"""Criterion to a few words for the reader; empty: the image is kept."""


def reasons_against(figures: Figures, criteria: Criteria) -> Reasons:
    """Every criterion that an image misses by itself, with its figure and threshold."""
    found: Reasons = {}
    if criteria.one_person and figures.persons is not None and figures.persons != 1:
        found["persons"] = "nobody" if figures.persons == 0 else f"{figures.persons} people"
    if figures.anomalies:
        found["anomalies"] = " ".join(figures.anomalies)
    lower = [
        ("side", "low resolution", figures.side, criteria.min_side),
        ("area", "small person", figures.area, criteria.min_area),
        ("inside", "cut by the square", figures.inside, criteria.min_inside),
        ("sharpness", "blurred", figures.sharpness, criteria.min_sharpness),
        ("anatomy", "unclear body", figures.anatomy, criteria.min_anatomy),
        ("hands", "unclear hands", figures.hands, criteria.min_hands),
    ]
    for name, words, value, least in lower:
        if value is not None and least is not None and value < least:
            found[name] = f"{words} ({round(value, 3):g} < {least:g})"
    most = criteria.max_background
    if figures.background is not None and most is not None and figures.background > most:
        found["background"] = f"busy background ({round(figures.background, 3):g} > {most:g})"
    return found


def duplicates(
    hashes: Sequence[Hashes], good: Sequence[bool], quality: Sequence[tuple[float, ...]], least: Sequence[int | None]
) -> dict[int, tuple[int, int]]:
    """Images that nearly repeat a better one.

    Args:
        hashes: of every image.
        good: whether the image is a candidate at all; others neither repeat nor are repeated.
        quality: sorts the images; of two that are alike the higher one stays, of equals the first.
        least: bits by which an image must differ from each one that stays; None asks nothing.

    Returns:
        Row of each repeated image to (row of the one that stays, bits between them).
    """
    order = sorted((row for row in range(len(hashes)) if good[row]), key=lambda row: (quality[row], -row), reverse=True)
    staying: list[int] = []
    found: dict[int, tuple[int, int]] = {}
    for row in order:
        limit = least[row]
        distances = [(hash_distance(hashes[row], hashes[other]), other) for other in staying]
        if limit is not None and distances and min(distances)[0] < limit:
            bits, other = min(distances)
            found[row] = (other, bits)
        else:
            staying.append(row)
    return found
