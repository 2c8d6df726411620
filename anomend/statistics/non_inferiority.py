"""Is the tuned model worse by less than a margin?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from numpy.typing import ArrayLike

from anomend.statistics.effect import MIN_PAIRS, Better
from anomend.statistics.paired_interval import checked_pairs, paired_interval


@dataclass(frozen=True)
class NonInferiority:
    """Whether the tuned model is worse by less than a margin."""

    worsening: float | None
    """Mean change in the bad direction; negative where the tuned model is better."""
    upper_bound: float | None
    """One-sided upper confidence bound of the worsening."""
    margin: float
    passed: bool | None
    """upper_bound < margin; None where there is no bound."""
    n: int
    clusters: int
    method: str
    reason: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The outcome as an object of a metric file; `reason` only where there is one."""
        return {name: value for name, value in asdict(self).items() if name != "reason" or value is not None}


def non_inferiority(
    base: ArrayLike,
    tuned: ArrayLike,
    prompts: Sequence[str],
    *,
    margin: float,
    better: Better,
    seed: int,
    resamples: int = 10_000,
    confidence: float = 0.95,
) -> NonInferiority:
    """Test that the tuned model is not worse than the base model by `margin` or more.

    Args:
        base: per-image values, shape (n,), paired with `tuned` by prompt and seed; `prompts` names the clusters.
        margin: the largest worsening that would still not matter, above 0, in units of the values.
        better: higher or lower.
        confidence: level of the one-sided bound.

    Returns:
        The outcome; undecided for fewer than 6 pairs.

    Raises:
        ValueError: the margin is not above 0, `better` is closer, the lengths differ, or a value is not finite.
    """
    if margin <= 0 or better == "closer":
        raise ValueError(f"non-inferiority needs a margin above 0 and a direction, got {margin} and {better!r}")
    before, after = checked_pairs(base, tuned, prompts)
    n, clusters = len(before), len(set(prompts))
    if n < MIN_PAIRS:
        return NonInferiority(
            None, None, margin, None, n, clusters, "none", f"{n} pairs: at least {MIN_PAIRS} are needed"
        )
    first, second = (before, after) if better == "lower" else (after, before)
    _, bound, how = paired_interval(
        first, second, prompts, seed=seed, resamples=resamples, confidence=2 * confidence - 1
    )
    worsening, method = float((second - first).mean()), f"one-sided {confidence:.0%} bound: {how}"
    return NonInferiority(worsening, bound, margin, bound < margin, n, clusters, method)
