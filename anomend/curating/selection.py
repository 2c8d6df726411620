"""Which images are kept: every image is examined, all are compared, and decisions by hand win."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from anomend.curating.decisions import Decision, decision_for
from anomend.curating.framing import Square, framed, share_inside, square
from anomend.curating.picture_metrics import Hashes, background_complexity, perceptual_hashes, sharpness
from anomend.curating.reasons import ImageMetrics, Reasons, duplicates, reasons_against
from anomend.detectors.criteria import Criteria
from anomend.detectors.detector import Detector
from anomend.detectors.observation import Image


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One collected image."""

    path: Path
    sha256: str
    source: str
    detector: str
    """Name of the detector that examines it."""
    original: str | None = None
    """File name in a user's own folder."""


@dataclass(frozen=True)
class Examination:
    """What was measured on one image."""

    metrics: ImageMetrics
    hashes: Hashes
    cut: Square
    """The square that training would see."""


def examine(image: Image, detector: Detector, resolution: int) -> Examination:
    """Every measurement of an RGB image (H, W, 3).

    Images are compared as training would see them, cut to their square and scaled to `resolution` pixels: a wide
    picture and its own square cut are the same training image.

    Anomalies that prove nothing (`Detector.caution`) are left out: the confidences tell the same, by thresholds.
    """
    seen = detector.detect(image)
    region = seen.region
    cut = square(image.shape[0], image.shape[1], region)
    return Examination(
        ImageMetrics(
            side=min(image.shape[:2]),
            sharpness=sharpness(image, region),
            persons=seen.persons,
            area=None if region is None else float(region.mean()),
            inside=None if region is None else share_inside(region),
            background=background_complexity(image, region),
            body=seen.body,
            anatomy=seen.anatomy,
            hands=seen.hands,
            anomalies=() if detector.caution else seen.anomalies,
        ),
        perceptual_hashes(framed(image, cut, resolution)),
        cut,
    )


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Whether one image is kept, and why."""

    kept: bool
    reasons: Reasons
    """Criteria that the image misses; a kept image has some where a person decided by hand."""
    decision: Decision | None
    distance: int | None
    """Bits to the image that it nearly repeats."""

    @property
    def text(self) -> str:
        """The reasons, and the decision by hand, in a few words."""
        words = list(self.reasons.values())
        if self.decision:
            by_hand = f"{'kept' if self.kept else 'rejected'} by hand"
            words.insert(0, f"{by_hand}: {self.decision.note}" if self.decision.note else by_hand)
        return "; ".join(words)


def select(
    candidates: Sequence[Candidate],
    examinations: Sequence[Examination],
    criteria: Mapping[str, Criteria],
    decisions: Sequence[Decision],
) -> list[Selection]:
    """Keep or reject every image.

    Args:
        candidates: the images.
        examinations: what was measured on each.
        criteria: by detector.
        decisions: by hand; they win.
    """
    metrics = [examination.metrics for examination in examinations]
    reasons = [reasons_against(m, criteria[c.detector]) for c, m in zip(candidates, metrics, strict=True)]
    by_hand = [decision_for(decisions, c.sha256, c.original) for c in candidates]
    kept_by_hand = [bool(decision and decision.keep) for decision in by_hand]
    repeated = duplicates(
        hashes=[examination.hashes for examination in examinations],
        # An image that a person rejected must not push out the image that it resembles.
        good=[hand.keep if hand else not missed for hand, missed in zip(by_hand, reasons, strict=True)],
        quality=[(float(hand), m.side, m.sharpness) for hand, m in zip(kept_by_hand, metrics, strict=True)],
        least=[criteria[c.detector].min_distance for c in candidates],
    )
    for row, (other, bits) in repeated.items():
        reasons[row] = {**reasons[row], "duplicate": f"near-duplicate of {candidates[other].path.name} ({bits} bits)"}
    return [
        Selection(
            kept=hand.keep if hand else not missed,
            reasons=missed,
            decision=hand,
            distance=repeated[row][1] if row in repeated else None,
        )
        for row, (hand, missed) in enumerate(zip(by_hand, reasons, strict=True))
    ]


LOOSENED = {
    "side": ("low resolution", "min_side"),
    "area": ("small person", "min_area"),
    "inside": ("cut by the square", "min_inside"),
    "background": ("busy background", "max_background"),
    "sharpness": ("blurred", "min_sharpness"),
    "body": ("little of the body", "min_body"),
    "anatomy": ("unclear body", "min_anatomy"),
    "hands": ("unclear hands", "min_hands"),
    "duplicate": ("near-duplicate", "min_distance"),
    "persons": ("not one person", None),
    "anomalies": ("anomalous", None),
    "by_hand": ("by hand", None),
}
"""Criterion to what it is called, and the threshold of curate.criteria that loosens it."""


def advice(selections: Sequence[Selection]) -> str:
    """Which criteria rejected images missed, the commonest first, and which threshold would let them through."""
    counts = sorted(rejections(selections).items(), key=lambda item: -item[1])
    missed = ", ".join(
        f"{LOOSENED[name][0]} {count}" + (f" (curate.criteria.{LOOSENED[name][1]})" if LOOSENED[name][1] else "")
        for name, count in counts
    )
    return f"rejected: {missed}" if missed else "none was rejected"


def rejections(selections: Sequence[Selection]) -> dict[str, int]:
    """How many rejected images missed each criterion; an image can miss several."""
    counts: Counter[str] = Counter()
    for selection in selections:
        if not selection.kept:
            counts.update(list(selection.reasons) or ["by_hand"])
    return dict(sorted(counts.items()))
