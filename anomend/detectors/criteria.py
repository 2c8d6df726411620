"""What a training image must be like to be kept."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Criteria:
    """Thresholds; None sets none. A measurement that a detector does not make never rejects an image."""

    one_person: bool = True
    """Exactly one person."""
    min_side: int | None = None
    """Shorter side in pixels."""
    min_area: float | None = None
    """The person's share of the picture, 0 to 1."""
    min_inside: float | None = None
    """Share of the person that a square picture keeps, 0 to 1."""
    max_background: float | None = None
    """Share of edge pixels in the background, 0 to 1."""
    min_sharpness: float | None = None
    """Sharpness of the person, 0 to 1."""
    min_body: float | None = None
    """Share of the joints from shoulders to ankles that can be seen, 0 to 1; a face alone has 0."""
    min_anatomy: float | None = None
    """Confidence in the key points, 0 to 1."""
    min_hands: float | None = None
    """Confidence in the clearest hand, where one is in the picture, 0 to 1."""
    min_distance: int | None = None
    """Bits of the perceptual hash between two kept images, 0 to 64."""

    def overlaid(self, changes: dict[str, Any]) -> Criteria:
        """These criteria, with those of `changes` that are not None."""
        names = {field.name for field in fields(self)}
        return replace(self, **{key: value for key, value in changes.items() if value is not None and key in names})


PHOTOGRAPHS = Criteria(
    min_area=0.15,
    min_inside=0.9,
    max_background=0.35,
    min_sharpness=0.4,
    min_body=0.45,
    min_anatomy=0.5,
    min_hands=0.5,
    min_distance=10,
)
"""What the paper's Appendix A asks of training pictures, as thresholds: one person, large, clear hands, a simple
background. Its five published images lie within: areas from .45, backgrounds to .18, sharpness from .6, bodies from .5
(shoulders, elbows and wrists). Heads with shoulders, cut out of them, have up to .42."""
