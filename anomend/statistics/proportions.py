"""Score intervals of a rate, and of the difference of two paired rates."""

from __future__ import annotations

import math


def wilson_interval(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a rate, by statsmodels; stays within 0 to 1 and keeps a width at 0 and n successes.

    It takes the trials as independent. For images of one prompt that is right; over several prompts it is too narrow.

    Raises:
        ValueError: no trials, or successes outside 0 to n.

    Reference: Wilson 1927, doi:10.1080/01621459.1927.10502953.
    """
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"an interval of a rate needs 0 <= successes <= n and n >= 1, got {successes} of {n}")
    # Two seconds to import, which a stage that only reads results need not wait for.
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(successes, n, alpha=1 - confidence, method="wilson")
    # Rounding leaves a bound of 0 or n successes next to 0 or 1.
    return (float(low) if successes else 0.0), (float(high) if successes < n else 1.0)


def newcombe_interval(
    both: int, only_base: int, only_tuned: int, neither: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Interval of the difference tuned - base of two paired rates, from the four counts of pairs.

    Unlike a bootstrap it keeps a width when no pair is discordant, or all are. statsmodels has the interval for
    independent rates only.

    Args:
        both: pairs with a 1 for both models.
        only_base: pairs with a 1 for the base model alone.
        only_tuned: pairs with a 1 for the tuned model alone.
        neither: pairs without a 1.
        confidence: level of the interval.

    Reference: Newcombe 1998, doi:10.1002/(SICI)1097-0258(19981130)17:22<2635::AID-SIM954>3.0.CO;2-C, method 10.
    """
    n = both + only_base + only_tuned + neither
    base_ones, tuned_ones = both + only_base, both + only_tuned
    base, tuned = base_ones / n, tuned_ones / n
    base_low, base_high = wilson_interval(base_ones, n, confidence)
    tuned_low, tuned_high = wilson_interval(tuned_ones, n, confidence)
    margins = base_ones * (n - base_ones) * tuned_ones * (n - tuned_ones)
    product = float(both * neither - only_base * only_tuned)
    # Continuity correction of the correlation, where it is positive.
    product = max(product - n / 2, 0.0) if product > 0 else product
    phi = product / math.sqrt(margins) if margins else 0.0

    def distance(first: float, second: float) -> float:
        return math.sqrt(max(0.0, first**2 - 2 * phi * first * second + second**2))

    delta = tuned - base
    low = delta - distance(tuned - tuned_low, base_high - base)
    high = delta + distance(tuned_high - tuned, base - base_low)
    return max(-1.0, low), min(1.0, high)
