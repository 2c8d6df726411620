"""From collected images to kept ones: look at each, compare all, decide."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomend.curating.criteria import Criteria, Figures, Reasons, duplicates, reasons_against
from anomend.curating.decisions import Decision, decision_for
from anomend.curating.detectors import Look
from anomend.curating.framing import Square, share_inside, square
from anomend.curating.picture_metrics import Hashes, background_complexity, perceptual_hashes, sharpness
from anomend.detectors.observation import Observation


@dataclass(frozen=True)
class Candidate:
    """One collected image."""

    path: Path
    sha256: str
    source: str
    detector: str
    original: str | None
    """File name in a user's own folder."""


@dataclass(frozen=True)
class Seen:
    """What was seen in one image."""

    figures: Figures
    hashes: Hashes
    cut: Square
    """The square that training would see."""


def look_at(image: NDArray[np.uint8], look: Look) -> Seen:
    """Every figure of an RGB image (H, W, 3)."""
    observed: Observation = look(image)
    region = observed.region
    return Seen(
        Figures(
            side=min(image.shape[:2]),
            sharpness=sharpness(image, region),
            persons=observed.persons,
            area=None if region is None else float(region.mean()),
            inside=None if region is None else share_inside(region),
            background=background_complexity(image, region),
            anatomy=observed.anatomy,
            hands=observed.hands,
            anomalies=observed.anomalies,
        ),
        perceptual_hashes(image),
        square(image.shape[0], image.shape[1], region),
    )


@dataclass(frozen=True)
class Verdict:
    """What becomes of one image."""

    kept: bool
    reasons: Reasons
    """Criteria that the image misses; a kept one has some where a person decided by hand."""
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


def decide(
    candidates: Sequence[Candidate], seen: Sequence[Seen], criteria: dict[str, Criteria], decisions: list[Decision]
) -> list[Verdict]:
    """Keep or reject every image.

    Args:
        candidates: the images.
        seen: what was seen in each.
        criteria: by detector.
        decisions: by hand; they win.
    """
    reasons = [reasons_against(s.figures, criteria[c.detector]) for c, s in zip(candidates, seen, strict=True)]
    by_hand = [decision_for(decisions, c.sha256, c.original) for c in candidates]
    kept_by_hand = [bool(decision and decision.keep) for decision in by_hand]
    repeated = duplicates(
        [s.hashes for s in seen],
        # What a person rejected must not push out the image that it resembles.
        [hand.keep if hand else not why for hand, why in zip(by_hand, reasons, strict=True)],
        [(float(hand), s.figures.side, s.figures.sharpness) for hand, s in zip(kept_by_hand, seen, strict=True)],
        [criteria[c.detector].min_distance for c in candidates],
    )
    for row, (other, bits) in repeated.items():
        reasons[row] = {**reasons[row], "duplicate": f"near-duplicate of {candidates[other].path.name} ({bits} bits)"}
    return [
        Verdict(hand.keep if hand else not why, why, hand, repeated[row][1] if row in repeated else None)
        for row, (hand, why) in enumerate(zip(by_hand, reasons, strict=True))
    ]


def table_row(candidate: Candidate, seen: Seen, verdict: Verdict) -> dict[str, Any]:
    """One line of the curation's table: every figure, rounded to what may be trusted, and the reasons."""
    figures = asdict(seen.figures) | {"anomalies": " ".join(seen.figures.anomalies)}
    rounded = {name: round(value, 3) if isinstance(value, float) else value for name, value in figures.items()}
    return {
        "file_name": candidate.path.name,
        "source": candidate.source,
        "original": candidate.original,
        "detector": candidate.detector,
        "kept": int(verdict.kept),
        "reasons": verdict.text,
        **rounded,
        "hash": str(seen.hashes[0]),
        "distance": verdict.distance,
        "by_hand": "" if verdict.decision is None else ("keep" if verdict.decision.keep else "reject"),
        "sha256": candidate.sha256,
    }


LOOSENED = {
    "side": ("low resolution", "min_side"),
    "area": ("small person", "min_area"),
    "inside": ("cut by the square", "min_inside"),
    "background": ("busy background", "max_background"),
    "sharpness": ("blurred", "min_sharpness"),
    "anatomy": ("unclear body", "min_anatomy"),
    "hands": ("unclear hands", "min_hands"),
    "duplicate": ("near-duplicate", "min_distance"),
    "persons": ("not one person", None),
    "anomalies": ("anomalous", None),
    "by_hand": ("by hand", None),
}
"""Criterion to what it is called, and the threshold of curate.criteria that loosens it."""


def advice(verdicts: Sequence[Verdict]) -> str:
    """What rejected images missed, the commonest first, and what would let them through."""
    counts = sorted(rejections(verdicts).items(), key=lambda item: -item[1])
    missed = ", ".join(
        f"{LOOSENED[name][0]} {count}" + (f" (curate.criteria.{LOOSENED[name][1]})" if LOOSENED[name][1] else "")
        for name, count in counts
    )
    return f"rejected: {missed}" if missed else "none was rejected"


def rejections(verdicts: Sequence[Verdict]) -> dict[str, int]:
    """How many rejected images missed each criterion; an image can miss several."""
    counted: Counter[str] = Counter()
    for verdict in verdicts:
        if not verdict.kept:
            counted.update(list(verdict.reasons) or ["by_hand"])
    return dict(sorted(counted.items()))
