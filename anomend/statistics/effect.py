"""The result of a comparison of the tuned with the base model."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Better = Literal["higher", "lower", "closer"]
"""The direction in which a measure improves; closer: towards the value of a reference set, from either side."""

MIN_PAIRS = 6
"""With fewer pairs no sign-flip test can reach p < .05: two-sided, 2 / 2^5 = .0625."""


@dataclass(frozen=True, kw_only=True)
class Effect:
    """One measure on both models. A value that cannot be computed is None, and `reason` says why."""

    base: float | None
    tuned: float | None
    delta: float | None
    """tuned - base."""
    ci_low: float | None
    ci_high: float | None
    """Interval of delta, at the level that `method` names."""
    p: float | None
    """Two-sided."""
    n: int
    """Number of pairs of images with the same prompt and seed."""
    clusters: int
    """Number of prompts."""
    better: Better
    method: str
    """How the interval and p were computed, in words."""
    reason: str | None = None
    win: int | None = None
    """Pairs in which the tuned image is better; None where single pairs have no winner."""
    tie: int | None = None
    loss: int | None = None
    ratio: float | None = None
    """tuned / base with its interval, for measures that have one."""
    ratio_ci_low: float | None = None
    ratio_ci_high: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """The effect as an object of metrics/compare.json; fields after `method` are left out where they are None."""
        optional = {"reason", "win", "tie", "loss", "ratio", "ratio_ci_low", "ratio_ci_high"}
        return {name: value for name, value in asdict(self).items() if value is not None or name not in optional}


def insufficient(
    n: int, clusters: int, *, better: Better, reason: str, base: float | None = None, tuned: float | None = None
) -> Effect:
    """An effect without interval and p, because there are too few images.

    Args:
        n: number of pairs.
        clusters: number of prompts.
        better: the direction in which the measure improves.
        reason: why there is no interval.
        base: the base model's value; None where it cannot be computed.
        tuned: the tuned model's value.
    """
    return Effect(
        base=base,
        tuned=tuned,
        delta=None if base is None or tuned is None else tuned - base,
        ci_low=None,
        ci_high=None,
        p=None,
        n=n,
        clusters=clusters,
        better=better,
        method="none",
        reason=reason,
    )
