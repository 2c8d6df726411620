"""Interval of the mean difference of paired per-image values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from anomend.statistics.proportions import newcombe_interval
from anomend.statistics.resampling import Floats, bootstrap_means, resampled_units, stretched_interval


def checked_pairs(base: ArrayLike, tuned: ArrayLike, prompts: Sequence[str]) -> tuple[Floats, Floats]:
    """Both models' values in float64.

    Raises:
        ValueError: the lengths differ, or a value is not finite.
    """
    before, after = np.asarray(base, dtype=np.float64), np.asarray(tuned, dtype=np.float64)
    if before.ndim != 1 or before.shape != after.shape or len(prompts) != len(before):
        shapes = f"{before.shape}, {after.shape} and {len(prompts)}"
        raise ValueError(f"base, tuned and prompts must be of one length, got {shapes}: pair them by prompt and seed")
    if not (np.isfinite(before).all() and np.isfinite(after).all()):
        raise ValueError("a paired value is NaN or infinite: leave out pairs that could not be measured")
    return before, after


def is_binary(before: Floats, after: Floats) -> bool:
    """Whether all values are 0 or 1."""
    return bool(np.isin(before, (0, 1)).all() and np.isin(after, (0, 1)).all())


def paired_interval(
    before: Floats, after: Floats, prompts: Sequence[str], *, seed: int, resamples: int, confidence: float
) -> tuple[float, float, str]:
    """Two-sided interval of mean(after) - mean(before).

    A bootstrap cannot show changes that no pair shows: if no pair got worse, no resample gets worse, with six pairs as
    with six hundred. So for 0/1 values each end is that of the bootstrap or of Newcombe's paired score interval,
    whichever is farther out. With one of them on some sides only, one more anomaly could shorten the interval.

    Args:
        before: values, shape (n,), n >= 1; see `checked_pairs`.
        after: the values that are paired with them.
        prompts: the prompt of each pair.
        seed: seed of the bootstrap.
        resamples: bootstrap resamples.
        confidence: level of the interval.

    Returns:
        Both ends, and the words for `method`.
    """
    difference = after - before
    resampled, how = bootstrap_means(difference, prompts, seed=seed, resamples=resamples)
    score = newcombe_interval(*_counts(before, after), confidence) if is_binary(before, after) else None
    flat = np.ptp(resampled) <= 1e-12 * max(1.0, float(np.abs(resampled).max()))
    if flat and score:
        return *score, "Newcombe's paired score interval (a bootstrap shows no spread)"
    units = resampled_units(prompts)
    low, high = stretched_interval(resampled, float(difference.mean()), *units, confidence=confidence)
    if flat:
        return low, high, f"percentile bootstrap of {how}, which shows no spread"
    words = f"percentile bootstrap of {how}, stretched for small samples"
    if score:
        words += ", or Newcombe's paired score interval where that reaches farther"
        low, high = min(low, score[0]), max(high, score[1])
        # The stretched interval must stay within the possible differences of two rates.
        low, high = max(-1.0, low), min(1.0, high)
    return low, high, words


def _counts(before: Floats, after: Floats) -> tuple[int, int, int, int]:
    table = 2 * before.astype(int) + after.astype(int)
    return tuple(int((table == cell).sum()) for cell in (3, 2, 1, 0))  # type: ignore[return-value]
