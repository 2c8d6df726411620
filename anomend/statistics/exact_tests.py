"""Exact tests on counts, and the correction for several tests."""

from __future__ import annotations

from collections.abc import Mapping

from scipy.stats import binom


def sign_test(wins: int, losses: int) -> float:
    """Two-sided exact sign test: are wins and losses equally likely? Ties carry no sign and are left out beforehand.

    Returns:
        p from 0 to 1; 1 without wins and losses. Ten of ten gives .002, nine .021, eight .109.

    Raises:
        ValueError: a count is negative.
    """
    if wins < 0 or losses < 0:
        raise ValueError(f"a sign test needs counts of 0 or more, got {wins} wins and {losses} losses")
    tail = float(binom.cdf(min(wins, losses), wins + losses, 0.5))
    return min(1.0, 2 * tail)


def mcnemar_test(only_base: int, only_tuned: int) -> float:
    """Exact McNemar test of paired 0/1 values, which is the sign test on the discordant pairs.

    Args:
        only_base: pairs with 1 for the base and 0 for the tuned model.
        only_tuned: pairs with 0 for the base and 1 for the tuned model.

    Returns:
        Two-sided p; 1 without discordant pairs.

    Reference: McNemar 1947, doi:10.1007/BF02295996, in its exact binomial form.
    """
    return sign_test(only_base, only_tuned)


def mcnemar_mid_p(only_base: int, only_tuned: int) -> float:
    """Mid-p McNemar test: the exact one, counting only half the probability of the counts that were seen.

    The exact p never rejects a true null more often than it says, but as few discordant pairs have few possible
    p-values, it does so less often: on 512 independent pairs with rates of 3%, exact p < .05 comes up in 3.1% of null
    comparisons, with rates of 1% in 2.2%; mid-p < .05 in 4.5% and 4.1%. The price: it is no exact test. Given the
    number of discordant pairs, at most 7.7% of null comparisons have mid-p < .05 (at 16 discordant pairs).

    Args:
        only_base: pairs with 1 for the base and 0 for the tuned model.
        only_tuned: pairs with 0 for the base and 1 for the tuned model.

    Returns:
        Two-sided p; 1 without discordant pairs, or with as many of either kind.

    Raises:
        ValueError: a count is negative.

    Reference: Fagerland, Lydersen & Laake 2013, doi:10.1186/1471-2288-13-91.
    """
    if min(only_base, only_tuned) < 0:
        raise ValueError(f"a McNemar test needs counts of 0 or more, got {only_base} and {only_tuned}")
    fewer, pairs = min(only_base, only_tuned), only_base + only_tuned
    # Rounding must not leave 1 + 1e-16.
    return min(1.0, float(2 * binom.cdf(fewer, pairs, 0.5) - binom.pmf(fewer, pairs, 0.5)))


def holm(p_values: Mapping[str, float | None]) -> dict[str, float | None]:
    """Adjust p-values for testing several hypotheses at once (Holm 1979: uniformly better than Bonferroni).

    Args:
        p_values: p by name of hypothesis; None, a test that could not be made, does not count as one.

    Returns:
        Adjusted p by name, in the order given; None stays None.

    Raises:
        ValueError: a p-value is outside 0 to 1.
    """
    for name, p in p_values.items():
        if p is not None and not 0 <= p <= 1:
            raise ValueError(f"the p-value of {name} is {p}: it must lie from 0 to 1")
    made = sorted((p, name) for name, p in p_values.items() if p is not None)
    adjusted: dict[str, float | None] = dict.fromkeys(p_values)
    highest = 0.0
    for rank, (p, name) in enumerate(made):
        highest = max(highest, min(1.0, (len(made) - rank) * p))
        adjusted[name] = highest
    return adjusted
