"""Per-image values of both models, paired by prompt and seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from stages.measures.statistics.effect import MIN_PAIRS, Better, Effect, insufficient
from stages.measures.statistics.exact_tests import mcnemar_mid_p
from stages.measures.statistics.planning import difference_spread
from stages.measures.statistics.proportions import newcombe_interval
from stages.measures.statistics.resampling import (
    Floats,
    bootstrap_means,
    resampled_units,
    sign_flip_test,
    stretched_interval,
)


def paired_effect(
    base: ArrayLike,
    tuned: ArrayLike,
    prompts: Sequence[str],
    *,
    better: Better,
    seed: int,
    resamples: int = 10_000,
    permutations: int = 20_000,
    confidence: float = 0.95,
) -> Effect:
    """Compare the means of per-image values.

    The interval is a percentile bootstrap over prompts (5 or more) or over pairs within each prompt, stretched for
    small samples (`stretched_interval`), and speaks about prompts, or seeds, like these. It is Newcombe's paired score
    interval instead where 0/1 values give a bootstrap no spread, such as no discordant pair at all. p is McNemar's
    mid-p for 0/1 values (the exact p is too large where few pairs are discordant, see `mcnemar_mid_p`), else a
    sign-flip permutation, and speaks about these very prompts: it asks whether any difference is there, not whether it
    carries over to others. So p can be small beside an interval that covers 0.

    Args:
        base: the base model's values, shape (n,).
        tuned: the tuned model's, in the same order of (prompt, seed).
        prompts: the prompt of each pair.
        better: which way the values improve.
        seed: seed of the resampling.

    Returns:
        The effect; without interval and p, and with a reason, for fewer than 6 pairs.

    Raises:
        ValueError: the lengths differ, or a value is not finite.
    """
    before, after = _checked(base, tuned, prompts)
    n, clusters = len(before), len(set(prompts))
    if n == 0:
        return insufficient(0, 0, better, "no pairs")
    means = float(before.mean()), float(after.mean())
    if n < MIN_PAIRS:
        reason = (
            f"{n} pairs: with fewer than {MIN_PAIRS} no test can reach p < .05, and a bootstrap has nothing to show"
        )
        return insufficient(n, clusters, better, reason, base=means[0], tuned=means[1])
    difference = after - before
    resampled, how = bootstrap_means(difference, prompts, seed=seed, resamples=resamples)
    low, high = stretched_interval(
        resampled, float(difference.mean()), *resampled_units(prompts), confidence=confidence
    )
    # Stretched, it must not leave the range of the values, such as a difference of rates below -1.
    low, high = max(low, float(difference.min())), min(high, float(difference.max()))
    interval = f"percentile bootstrap of {how}, stretched for small samples"
    binary = _binary(before, after)
    if _no_spread(resampled):
        interval = f"percentile bootstrap of {how}, which shows no spread"
        if binary:
            low, high = newcombe_interval(*_counts(before, after), confidence)
            interval = "Newcombe's paired score interval (a bootstrap shows no spread)"
    if binary:
        p = mcnemar_mid_p(int((difference < 0).sum()), int((difference > 0).sum()))
        test = "mid-p McNemar"
    else:
        p, test = sign_flip_test(difference, seed=seed, permutations=permutations)
    win, tie, loss = _outcomes(difference, better)
    method = f"{confidence:.0%} interval: {interval}; p: {test}"
    delta = means[1] - means[0]
    spread = difference_spread(difference, prompts)
    return Effect(
        *means,
        delta,
        low,
        high,
        p,
        n,
        clusters,
        better,
        method,
        win=win,
        tie=tie,
        loss=loss,
        sd_seeds=spread.seeds if spread else None,
        sd_prompts=spread.prompts if spread else None,
    )


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
    before, after = _checked(base, tuned, prompts)
    n, clusters = len(before), len(set(prompts))
    if n < MIN_PAIRS:
        return NonInferiority(
            None, None, margin, None, n, clusters, "none", f"{n} pairs: at least {MIN_PAIRS} are needed"
        )
    worse_first, worse_second = (before, after) if better == "lower" else (after, before)
    worsening = worse_second - worse_first
    resampled, how = bootstrap_means(worsening, prompts, seed=seed, resamples=resamples)
    centre, units = float(worsening.mean()), resampled_units(prompts)
    bound = stretched_interval(resampled, centre, *units, confidence=2 * confidence - 1)[1]
    bound = min(bound, float(worsening.max()))
    method = f"one-sided {confidence:.0%} bound: percentile bootstrap of {how}, stretched for small samples"
    if _no_spread(resampled) and _binary(before, after):
        bound = newcombe_interval(*_counts(worse_first, worse_second), 2 * confidence - 1)[1]
        method = f"one-sided {confidence:.0%} bound: Newcombe's paired score interval (a bootstrap shows no spread)"
    return NonInferiority(float(worsening.mean()), bound, margin, bound < margin, n, clusters, method)


def _checked(base: ArrayLike, tuned: ArrayLike, prompts: Sequence[str]) -> tuple[Floats, Floats]:
    before, after = np.asarray(base, dtype=np.float64), np.asarray(tuned, dtype=np.float64)
    if before.ndim != 1 or before.shape != after.shape or len(prompts) != len(before):
        shapes = f"{before.shape}, {after.shape} and {len(prompts)}"
        raise ValueError(f"base, tuned and prompts must be of one length, got {shapes}: pair them by prompt and seed")
    if not (np.isfinite(before).all() and np.isfinite(after).all()):
        raise ValueError("a paired value is NaN or infinite: leave out pairs that could not be measured")
    return before, after


def _binary(before: Floats, after: Floats) -> bool:
    return bool(np.isin(before, (0, 1)).all() and np.isin(after, (0, 1)).all())


def _no_spread(means: Floats) -> bool:
    return bool(np.ptp(means) <= 1e-12 * max(1.0, float(np.abs(means).max())))


def _counts(before: Floats, after: Floats) -> tuple[int, int, int, int]:
    table = 2 * before.astype(int) + after.astype(int)
    return tuple(int((table == cell).sum()) for cell in (3, 2, 1, 0))  # type: ignore[return-value]


def _outcomes(difference: Floats, better: Better) -> tuple[int, int, int] | tuple[None, None, None]:
    if better == "closer":
        return None, None, None
    gain = difference if better == "higher" else -difference
    return int((gain > 0).sum()), int((gain == 0).sum()), int((gain < 0).sum())
