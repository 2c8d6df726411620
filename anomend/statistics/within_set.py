"""Statistics of a set of images as a whole: the mean over its unordered pairs of a similarity or distance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from anomend.project.seeding import numpy_generator
from anomend.statistics.effect import MIN_PAIRS, Better, Effect, insufficient
from anomend.statistics.resampling import Floats, sign_flip_test, stretched_interval


def within_set_mean(matrix: ArrayLike) -> float | None:
    """Mean of a symmetric matrix over unordered pairs of distinct images; None for fewer than two images."""
    values = np.asarray(matrix, dtype=np.float64)
    n = len(values)
    return float(values[np.triu_indices(n, 1)].mean()) if n > 1 else None


def mean_within_sets(matrices: Mapping[str, ArrayLike]) -> float | None:
    """`within_set_mean` of each prompt's set, averaged over prompts with two images or more; None if there are none.

    Pairs across prompts do not count, because images of different prompts should differ.
    """
    means = [mean for matrix in matrices.values() if (mean := within_set_mean(matrix)) is not None]
    return float(np.mean(means)) if means else None


def compare_within_set(
    matrices: Mapping[str, ArrayLike],
    *,
    better: Better,
    seed: int,
    resamples: int = 10_000,
    permutations: int = 20_000,
    confidence: float = 0.95,
    ratio: bool = False,
) -> Effect:
    """Compare how alike (or unlike) the images of one prompt are, tuned with base.

    Pairs of images are not independent trials (each image is in n - 1 of them), so interval and p work on seeds. The
    interval resamples the seeds of each prompt, the same ones for both models, and counts only pairs of different
    seeds, so that no image is compared with itself. It is about new seeds for these prompts, and is stretched for
    small samples (`stretched_interval`).
    p comes from swapping base and tuned within (prompt, seed). The effect is linear in these swaps: swapping seed i
    flips the sign of w_i = sum_j (TT_ij - BB_ij + TB_ij - BT_ij) / (n (n - 1)), so it is a sign-flip test of the w_i.

    Args:
        matrices: by prompt, a symmetric matrix of shape (2n, 2n) over the n base images, then the n tuned images, both
            in the same order of seeds. Prompts with one seed have no pairs and are left out.
        better: the direction in which the measure improves.
        seed: seed of the resampling.
        resamples: bootstrap resamples.
        permutations: sign flips that are drawn where they cannot all be listed.
        confidence: level of the interval.
        ratio: also compute tuned / base with its interval, from the same resamples; for measures above 0.

    Returns:
        The effect. base and tuned are means over prompts of within-set means; n counts pairs of (prompt, seed).

    Raises:
        ValueError: a matrix is not square, symmetric, of even size, or has a value that is not finite.
    """
    blocks = {prompt: _blocks(prompt, matrix) for prompt, matrix in matrices.items()}
    blocks = {prompt: block for prompt, block in blocks.items() if len(block[0]) > 1}
    n, clusters = sum(len(block[0]) for block in blocks.values()), len(blocks)
    if not blocks:
        return insufficient(
            0, 0, better=better, reason="no prompt has two seeds or more, so no set has a pair of images"
        )
    base = float(np.mean([within_set_mean(block[0]) for block in blocks.values()]))
    tuned = float(np.mean([within_set_mean(block[1]) for block in blocks.values()]))
    smallest = min(len(block[0]) for block in blocks.values())
    if n < MIN_PAIRS or smallest < 3:
        reason = f"{n} pairs of (prompt, seed), at least {smallest} seeds per prompt: {MIN_PAIRS} and 3 are needed"
        return insufficient(n, clusters, better=better, reason=reason, base=base, tuned=tuned)
    rng = numpy_generator("within-set bootstrap", seed)
    parts = [_resampled(block[0], block[1], resamples=resamples, rng=rng) for block in blocks.values()]
    bases, tuneds = np.mean(parts, axis=0)
    low, high = stretched_interval(tuneds - bases, tuned - base, n, strata=clusters, confidence=confidence)
    p, test = sign_flip_test(_swap_weights(blocks), seed=seed, permutations=permutations)
    method = (
        f"{confidence:.0%} interval: percentile bootstrap of seeds within each prompt, stretched for small samples;"
        f" p: {test} of base and tuned"
    )
    effect = Effect(
        base=base,
        tuned=tuned,
        delta=tuned - base,
        ci_low=low,
        ci_high=high,
        p=p,
        n=n,
        clusters=clusters,
        better=better,
        method=method,
    )
    if not ratio or base <= 0 or bases.min() <= 0:
        return effect
    ends = stretched_interval(tuneds / bases, tuned / base, n, strata=clusters, confidence=confidence)
    return replace(effect, ratio=tuned / base, ratio_ci_low=ends[0], ratio_ci_high=ends[1])


def _blocks(prompt: str, matrix: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Base-base, tuned-tuned and tuned-base."""
    values = np.array(matrix, dtype=np.float64)
    if values.ndim != 2 or values.shape[0] != values.shape[1] or len(values) % 2:
        raise ValueError(f"{prompt!r}: expected a matrix of shape (2n, 2n) over base and tuned, got {values.shape}")
    np.fill_diagonal(values, 0)
    if not np.isfinite(values).all() or not np.allclose(values, values.T):
        raise ValueError(f"{prompt!r}: the matrix over base and tuned must be finite and symmetric")
    n = len(values) // 2
    return values[:n, :n], values[n:, n:], values[n:, :n]


def _swap_weights(blocks: Mapping[str, tuple[Floats, Floats, Floats]]) -> Floats:
    weights, scale = [], 0.0
    for base, tuned, cross in blocks.values():
        n = len(base)
        # The diagonal of cross, a seed with itself, is in both terms and cancels.
        terms = tuned - base + cross - cross.T
        weights.append(terms.sum(axis=1) / (n * (n - 1)))
        scale = max(scale, float(np.abs(cross).max()), float(np.abs(base).max()))
    flat = np.concatenate(weights)
    # Differences that cancel leave rounding, which has no meaningful sign.
    flat[np.abs(flat) < 1e-13 * scale] = 0
    return flat


def _resampled(base: Floats, tuned: Floats, *, resamples: int, rng: np.random.Generator) -> Floats:
    """Within-set means of the base and of the tuned images, shape (2, resamples), of the same resampled seeds."""
    n = len(base)
    counts = rng.multinomial(n, np.full(n, 1 / n), size=resamples)
    alone = (counts == n).any(axis=1)
    while alone.any():  # one seed drawn n times has no pair: draw again
        counts[alone] = rng.multinomial(n, np.full(n, 1 / n), size=int(alone.sum()))
        alone = (counts == n).any(axis=1)
    weights = counts.astype(np.float64)
    pairs = n**2 - (weights**2).sum(axis=1)
    return np.stack([((weights @ matrix) * weights).sum(axis=1) / pairs for matrix in (base, tuned)])
