"""What changed in the rules by which a verdict is reached, and in which direction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LOOSER_WHEN_HIGHER = {
    "verdict.min_target_drop": False,
    "verdict.max_target_rate": True,
    "verdict.worst_target_margin": True,
    "verdict.held_out_margin": True,
    "verdict.worst_held_out_rise": True,
    "verdict.max_kind_rise": True,
    "verdict.min_diversity_ratio": False,
    "verdict.max_copy_rate": True,
    "verdict.min_preference": False,
    "verdict.level": False,
}
"""Thresholds, and whether a higher one is easier to pass."""
OTHERS = (
    "verdict.evidence",
    "verdict.looks",
    "level",
    "compare.confidence",
    "measure.detector",
    "prompts.target",
    "prompts.held_out",
    "sample.first_seed",
    "sample.target_seeds_per_prompt",
    "sample.held_out_seeds_per_prompt",
)
"""What else decides what the verdict is about: evidence, level, detector, prompts and seed range."""


@dataclass(frozen=True)
class RuleChange:
    """One rule that is not what it was."""

    name: str
    before: Any
    after: Any
    direction: str
    """looser | stricter | fewer | more | changed."""


def rule_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[RuleChange]:
    """The rules that differ, the loosened ones first.

    Args:
        before, after: resolved parameters, section by section.
    """
    changes = []
    for name in (*LOOSER_WHEN_HIGHER, *OTHERS):
        old, new = value_of(before, name), value_of(after, name)
        if old != new:
            changes.append(RuleChange(name, old, new, _direction(name, old, new)))
    order = ("looser", "fewer", "changed", "more", "stricter")
    return sorted(changes, key=lambda change: order.index(change.direction))


def value_of(parameters: Mapping[str, Any], name: str) -> Any:
    """The value of a dotted name; None where it is not there."""
    value: Any = parameters
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _direction(name: str, old: Any, new: Any) -> str:
    if name.endswith("_seeds_per_prompt") and old is not None and new is not None:
        return "fewer" if new < old else "more"
    if name not in LOOSER_WHEN_HIGHER:
        return "changed"
    if old is None or new is None:  # A clause that is off asks for nothing.
        return "looser" if new is None else "stricter"
    return "looser" if (new > old) == LOOSER_WHEN_HIGHER[name] else "stricter"
