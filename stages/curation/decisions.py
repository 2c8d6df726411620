"""Decisions that a person took by hand; they win over every criterion."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

KEEP, REJECT = "keep", "reject"


@dataclass(frozen=True)
class Decision:
    """One line of the table."""

    image: str
    """SHA-256 of the collected image, or 8 digits or more of its beginning; or the file name in a user's own folder."""
    keep: bool
    note: str


def read_decisions(table: Path) -> list[Decision]:
    """Read a CSV with `image`, `decision` (keep or reject) and `note`; no file is no decision.

    Raises:
        ValueError: a column is missing, a decision is neither keep nor reject, or an image is decided twice.
    """
    if not table.exists():
        return []
    with table.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = {"image", "decision", "note"} - set(reader.fieldnames or [])
        if missing:
            raise ValueError(f"{table} has no column {sorted(missing)[0]!r}: its first line is image,decision,note")
        rows = list(reader)
    decisions: list[Decision] = []
    for number, row in enumerate(rows, start=2):
        image, decision = (row["image"] or "").strip(), (row["decision"] or "").strip().lower()
        if decision not in (KEEP, REJECT):
            raise ValueError(f"line {number} of {table} says {decision!r}: write keep or reject")
        if not image or any(image == earlier.image for earlier in decisions):
            raise ValueError(f"line {number} of {table} names {image!r}, which is empty or decided twice: mend it")
        decisions.append(Decision(image, decision == KEEP, (row["note"] or "").strip()))
    return decisions


def decision_for(decisions: list[Decision], sha256: str, original: str | None) -> Decision | None:
    """What was decided about an image, by its digest or by its name in the user's folder."""
    for decision in decisions:
        by_digest = len(decision.image) >= 8 and sha256.startswith(decision.image.lower())
        if by_digest or decision.image == original:
            return decision
    return None
