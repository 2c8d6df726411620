"""How many pairs of images would settle a comparison that settled nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from anomend.statistics.resampling import MIN_CLUSTERS

MOST_SEEDS = 10_000
"""Beyond this many seeds per prompt no advice is given."""
MOST_PROMPTS = 1_000
"""Beyond this many prompts no advice is given."""


@dataclass(frozen=True)
class Spread:
    """Where the spread of the paired differences tuned - base comes from; in units of the differences."""

    seeds: float
    """Standard deviation between seeds of one prompt."""
    prompts: float
    """Standard deviation between the prompts' true mean differences. With fewer than 5 prompts the comparison is about
    these prompts only, and this is 0."""
    clusters: int
    """Number of prompts."""

    def standard_error(self, seeds_per_prompt: int, clusters: int | None = None) -> float:
        """Standard error of the mean difference for these numbers of seeds and prompts (None: the number measured)."""
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
        seeds_per_prompt: images per prompt and model, 2 or more.
        clusters: number of prompts; None takes the number measured.

    Returns:
        The power, 0 to 1, of a t interval over prompts (5 or more) or over seeds within each prompt: a noncentral t
        probability.
    """
    prompts = clusters or spread.clusters
    freedom = prompts - 1 if prompts >= MIN_CLUSTERS else prompts * (seeds_per_prompt - 1)
    error = spread.standard_error(seeds_per_prompt, prompts)
    if error == 0:
        return 1.0
    from scipy.stats import nct, t  # A second, which a stage that only reads results need not wait for.

    return float(nct.sf(t.ppf(0.5 + confidence / 2, freedom), freedom, min(distance / error, 30.0)))


def seeds_to_settle(distance: float, spread: Spread, *, confidence: float = 0.95, power: float = 0.8) -> int | None:
    """Fewest seeds per prompt for which `power_to_settle` reaches `power`; None where no number up to 10,000 does.

    With 5 prompts or more, more seeds do not reduce the spread between prompts. Then only more prompts help
    (`prompts_to_settle`).
    """

    def enough(seeds: int) -> bool:
        return power_to_settle(distance, spread, seeds, confidence=confidence) >= power

    return _fewest(enough, 2, MOST_SEEDS) if distance > 0 else None


def prompts_to_settle(
    distance: float, spread: Spread, seeds_per_prompt: int, *, confidence: float = 0.95, power: float = 0.8
) -> int | None:
    """Fewest prompts, each with `seeds_per_prompt` seeds, for which `power_to_settle` reaches `power`.

    Returns:
        The number of prompts; None where no number up to 1,000 is enough.
    """

    def enough(prompts: int) -> bool:
        return power_to_settle(distance, spread, seeds_per_prompt, clusters=prompts, confidence=confidence) >= power

    return _fewest(enough, max(MIN_CLUSTERS, spread.clusters), MOST_PROMPTS) if distance > 0 else None


def _fewest(enough: Callable[[int], bool], low: int, high: int) -> int | None:
    """The smallest number from low to high that is enough, by bisection; None where even `high` is not enough."""
    if low > high or not enough(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low
