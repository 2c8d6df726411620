"""The result of a comparison of the tuned with the base model."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Better = Literal["higher", "lower", "closer"]
"""Which way a measure improves; closer: neither way as such, only towards a reference set's own figure."""

MIN_PAIRS = 6
"""With fewer pairs no sign-flip test can reach p < .05 (two-sided, 2 / 2^5 = .0625)."""


@dataclass(frozen=True)
class Effect:
    """One measure on both models. A figure that cannot be computed is None, and `reason` says why."""

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
    """Pairs of images of one prompt and seed."""
    clusters: int
    """Prompts."""
    better: Better
    method: str
    """How the interval and p were made, in words."""
    reason: str | None = None
    win: int | None = None
    """Pairs in which the tuned image is better; None where single pairs have no winner."""
    tie: int | None = None
    loss: int | None = None
    sd_seeds: float | None = None
    """Standard deviation of the pairs' differences between seeds of one prompt, for planning (`planning.Spread`)."""
    sd_prompts: float | None = None
    """That of the true differences between prompts; 0 where the interval speaks about these very prompts alone."""
    ratio: float | None = None
    """tuned / base, where that is asked for, with the interval of the ratio."""
    ratio_ci_low: float | None = None
    ratio_ci_high: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """The effect as an object of metrics/compare.json; what comes after `method` only where there is any."""
        optional = {"reason", "win", "tie", "loss", "sd_seeds", "sd_prompts", "ratio", "ratio_ci_low", "ratio_ci_high"}
        return {name: value for name, value in asdict(self).items() if value is not None or name not in optional}


def insufficient(
    n: int, clusters: int, better: Better, reason: str, *, base: float | None = None, tuned: float | None = None
) -> Effect:
    """An effect without interval and p; delta is there when both means are."""
    delta = None if base is None or tuned is None else tuned - base
    return Effect(base, tuned, delta, None, None, None, n, clusters, better, "none", reason)
