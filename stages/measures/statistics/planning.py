"""How many pairs of images a comparison needs."""

from __future__ import annotations

import math

from scipy.stats import norm


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
