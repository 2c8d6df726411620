"""Per-image values of both models, paired by prompt and seed."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.typing import ArrayLike

from anomend.statistics.effect import MIN_PAIRS, Better, Effect, insufficient
from anomend.statistics.exact_tests import mcnemar_mid_p
from anomend.statistics.paired_interval import checked_pairs, is_binary, paired_interval
from anomend.statistics.resampling import Floats, sign_flip_test


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
    interval: tuple[float, float, str] | None = None,
) -> Effect:
    """Compare the means of per-image values.

    The interval is a percentile bootstrap over prompts (5 or more) or over pairs within each prompt, stretched for
    small samples (`stretched_interval`). It is about other prompts, or other seeds, like these. For 0/1 values the
    interval reaches at least as far as Newcombe's paired score interval (`paired_interval`). p is McNemar's mid-p for
    0/1 values (the exact p is too large where few pairs are discordant, see `mcnemar_mid_p`), else that of a sign-flip
    permutation. It is about these prompts only: is there any difference? So p can be small while the interval covers 0.

    Args:
        base: the base model's values, shape (n,).
        tuned: the tuned model's values, in the same order of (prompt, seed).
        prompts: the prompt of each pair.
        better: the direction in which the values improve.
        seed: seed of the resampling.
        resamples: bootstrap resamples.
        permutations: sign flips that are drawn where they cannot all be listed.
        confidence: level of the interval.
        interval: low, high and method of an interval of that level, in place of this function's own; None: its own.

    Returns:
        The effect; without interval and p, and with a reason, for fewer than 6 pairs.

    Raises:
        ValueError: the lengths differ, or a value is not finite.
    """
    before, after = checked_pairs(base, tuned, prompts)
    n, clusters = len(before), len(set(prompts))
    if n == 0:
        return insufficient(0, 0, better=better, reason="no pairs")
    means = float(before.mean()), float(after.mean())
    if n < MIN_PAIRS:
        reason = (
            f"{n} pairs: with fewer than {MIN_PAIRS} no test can reach p < .05, and a bootstrap has nothing to show"
        )
        return insufficient(n, clusters, better=better, reason=reason, base=means[0], tuned=means[1])
    difference = after - before
    low, high, method = interval or paired_interval(
        before, after, prompts, seed=seed, resamples=resamples, confidence=confidence
    )
    if is_binary(before, after):
        p = mcnemar_mid_p(int((difference < 0).sum()), int((difference > 0).sum()))
        test = "mid-p McNemar"
    else:
        p, test = sign_flip_test(difference, seed=seed, permutations=permutations)
    win, tie, loss = _outcomes(difference, better)
    return Effect(
        base=means[0],
        tuned=means[1],
        delta=means[1] - means[0],
        ci_low=low,
        ci_high=high,
        p=p,
        n=n,
        clusters=clusters,
        better=better,
        method=f"{confidence:.0%} interval: {method}; p: {test}",
        win=win,
        tie=tie,
        loss=loss,
    )


def _outcomes(difference: Floats, better: Better) -> tuple[int, int, int] | tuple[None, None, None]:
    if better == "closer":
        return None, None, None
    gain = difference if better == "higher" else -difference
    return int((gain > 0).sum()), int((gain == 0).sum()), int((gain < 0).sum())
