"""How many pairs of images a comparison needs: before any is drawn, and after one that settled nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import nct, norm, t

from anomend.statistics.resampling import MIN_CLUSTERS

MOST_SEEDS = 10_000
"""Advice beyond this many seeds a prompt is none."""
MOST_PROMPTS = 1_000


def pairs_for_rates(
    rate_base: float,
    rate_tuned: float,
    *,
    discordant: float | None = None,
    alpha: float = 0.05,
    power: float = 0.8,
    seeds_per_prompt: int = 1,
    prompt_correlation: float = 0.0,
) -> int:
    """Pairs of images for which a two-sided McNemar test finds the difference of two rates with the given power.

    Args:
        rate_base: expected rate of the base model, 0 to 1, such as its anomaly rate.
        rate_tuned: expected rate of the tuned model.
        discordant: expected share of pairs in which only one image is a 1; None takes the two images of a pair as
            independent, which errs on the side of more pairs.
        seeds_per_prompt: images a prompt.
        prompt_correlation: intraclass correlation of the differences within a prompt. With m seeds a prompt the number
            is multiplied by 1 + (m - 1) * correlation: more seeds of the same prompt teach less and less.

    Returns:
        The number of pairs, rounded up; at least 6, below which no test can reach p < .05.

    Raises:
        ValueError: a rate is outside 0 to 1, both are the same, or the discordant share cannot go with them.

    Reference: Connor 1987, doi:10.2307/2531961.
    """
    if not (0 <= rate_base <= 1 and 0 <= rate_tuned <= 1) or rate_base == rate_tuned:
        raise ValueError(f"two different rates from 0 to 1 are needed, got {rate_base} and {rate_tuned}")
    delta = abs(rate_base - rate_tuned)
    if discordant is None:
        discordant = rate_base * (1 - rate_tuned) + rate_tuned * (1 - rate_base)
    if not delta <= discordant <= 1:
        raise ValueError(f"the discordant share {discordant} must lie from the difference, {delta:.3g}, to 1")
    z_alpha, z_power = float(norm.ppf(1 - alpha / 2)), float(norm.ppf(power))
    pairs = (z_alpha * math.sqrt(discordant) + z_power * math.sqrt(discordant - delta**2)) ** 2 / delta**2
    return max(6, math.ceil(pairs * (1 + (seeds_per_prompt - 1) * prompt_correlation)))


@dataclass(frozen=True)
class Spread:
    """Where the spread of the paired differences tuned - base comes from."""

    seeds: float
    """Standard deviation between seeds of one prompt."""
    prompts: float
    """Standard deviation between the prompts' true mean differences; 0 where only these very prompts are asked about
    (fewer than 5)."""
    clusters: int
    """Prompts."""

    def standard_error(self, seeds_per_prompt: int, clusters: int | None = None) -> float:
        """Of the mean difference, with so many seeds a prompt, on so many prompts (as many as there were)."""
        return math.sqrt((self.prompts**2 + self.seeds**2 / seeds_per_prompt) / (clusters or self.clusters))


def difference_spread(differences: ArrayLike, prompts: Sequence[str]) -> Spread | None:
    """Estimate the spread of paired differences by one-way analysis of variance.

    Args:
        differences: tuned - base of each pair, shape (n,).
        prompts: the prompt of each pair.

    Returns:
        The spread; None where no prompt has two pairs.
    """
    values = np.asarray(differences, dtype=np.float64)
    names, codes = np.unique(np.asarray(prompts), return_inverse=True)
    sizes = np.bincount(codes) if len(codes) else np.zeros(0)
    k, n = len(names), len(values)
    if n <= k:
        return None
    means = np.bincount(codes, weights=values) / sizes
    within = float(((values - means[codes]) ** 2).sum()) / (n - k)
    if k < MIN_CLUSTERS:
        return Spread(math.sqrt(within), 0.0, k)
    between = float((sizes * (means - values.mean()) ** 2).sum()) / (k - 1)
    size = (n - float((sizes**2).sum()) / n) / (k - 1)
    return Spread(math.sqrt(within), math.sqrt(max(0.0, (between - within) / size)), k)


def power_to_settle(
    distance: float, spread: Spread, seeds_per_prompt: int, *, clusters: int | None = None, confidence: float = 0.95
) -> float:
    """Probability that the two-sided interval of the mean difference ends short of a bound, such as 0 or a margin.

    Args:
        distance: from the true mean difference to the bound, above 0, in units of the differences.
        spread: of the differences.
        seeds_per_prompt: images a prompt and model, 2 or more.
        clusters: prompts; None: as many as there were.

    Returns:
        The power, 0 to 1, of a t interval over prompts (5 or more) or over seeds within each prompt: a noncentral t
        probability.
    """
    prompts = clusters or spread.clusters
    freedom = prompts - 1 if prompts >= MIN_CLUSTERS else prompts * (seeds_per_prompt - 1)
    error = spread.standard_error(seeds_per_prompt, prompts)
    if error == 0:
        return 1.0
    return float(nct.sf(t.ppf(0.5 + confidence / 2, freedom), freedom, min(distance / error, 30.0)))


def seeds_to_settle(distance: float, spread: Spread, *, confidence: float = 0.95, power: float = 0.8) -> int | None:
    """Fewest seeds a prompt for which `power_to_settle` reaches `power`; None where no number up to 10,000 does.

    With 5 prompts or more the differences between prompts stay however many seeds are drawn: then only more prompts
    help (`prompts_to_settle`).
    """

    def enough(seeds: int) -> bool:
        return power_to_settle(distance, spread, seeds, confidence=confidence) >= power

    return _fewest(enough, 2, MOST_SEEDS) if distance > 0 else None


def prompts_to_settle(
    distance: float, spread: Spread, seeds_per_prompt: int, *, confidence: float = 0.95, power: float = 0.8
) -> int | None:
    """Fewest prompts, each with so many seeds, for which `power_to_settle` reaches `power`; None beyond 1,000."""

    def enough(prompts: int) -> bool:
        return power_to_settle(distance, spread, seeds_per_prompt, clusters=prompts, confidence=confidence) >= power

    return _fewest(enough, max(MIN_CLUSTERS, spread.clusters), MOST_PROMPTS) if distance > 0 else None


def _fewest(enough: Callable[[int], bool], low: int, high: int) -> int | None:
    """The smallest number from low to high that is enough, more being always enough; None where none is."""
    if low > high or not enough(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low
