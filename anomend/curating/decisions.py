"""Decisions that a person makes by hand; they win over every criterion."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from unicodedata import normalize

from anomend.project.hand_edited import read_table

KEEP, REJECT = "keep", "reject"


@dataclass(frozen=True)
class Decision:
    """One line of the table."""

    image: str
    """SHA-256 of the collected image, or 8 digits or more of its beginning; or the file name in a user's own folder."""
    keep: bool
    note: str


def read_decisions(table: Path) -> list[Decision]:
    """Read a CSV with `image`, `decision` (keep or reject) and `note`; without the file there are none.

    Raises:
        ValueError: the file is not a table with these columns, a decision is neither keep nor reject, or an image is
            decided twice.
    """
    if not table.exists():
        return []
    decisions: list[Decision] = []
    for line in read_table(table, ("image", "decision", "note"), optional=("note",)):
        # A name may be in either Unicode form, which look alike.
        image, decision = normalize("NFC", line["image"]), line["decision"].lower()
        if decision not in (KEEP, REJECT):
            raise line.problem(f"says {decision!r}: write keep or reject")
        if not image or any(image == earlier.image for earlier in decisions):
            raise line.problem(f"names {image!r}, which is empty or decided twice: fix it")
        decisions.append(Decision(image, decision == KEEP, line["note"]))
    return decisions


def decision_for(decisions: Sequence[Decision], sha256: str, original: str | None) -> Decision | None:
    """What was decided about an image, by its digest or by its name in the user's folder."""
    for decision in decisions:
        by_digest = is_digest(decision.image) and sha256.startswith(decision.image.lower())
        if by_digest or (original is not None and decision.image == normalize("NFC", original)):
            return decision
    return None


def is_digest(image: str) -> bool:
    """True of 8 hexadecimal digits or more; anything else is a file name."""
    return re.fullmatch("[0-9a-fA-F]{8,64}", image) is not None


def unmatched(decisions: Sequence[Decision], images: Sequence[tuple[str, str | None]]) -> list[Decision]:
    """Decisions that apply to none of the images; an image is its digest and its name in the user's folder."""
    used = {decision_for(decisions, sha256, original) for sha256, original in images}
    return [decision for decision in decisions if decision not in used]


def check_names(decisions: Sequence[Decision], images: Sequence[tuple[str, str | None]], table: Path) -> None:
    """Refuse a decision whose file name is not among the images: mistyped, it would be ignored in silence.

    Digests may be of another run's images, and so may names where no image is from a user's own folder.

    Raises:
        ValueError: there is such a decision.
    """
    names = sorted(name for _, name in images if name is not None)
    for decision in unmatched(decisions, images):
        if names and not is_digest(decision.image):
            near = difflib.get_close_matches(decision.image, names, n=1)
            meant = f" (is {near[0]!r} meant?)" if near else ""
            raise ValueError(
                f"{table} names {decision.image!r}, which is not among the collected files{meant}: fix it or remove"
                " the line"
            )
