"""Exact tests on counts, and the correction for several tests."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate


def sign_test(wins: int, losses: int) -> float:
    """Two-sided exact sign test, by scipy: are wins and losses equally likely? The caller leaves out ties.

    Returns:
        p from 0 to 1; 1 without wins and losses. Ten of ten gives .002, nine .021, eight .109.

    Raises:
        ValueError: a count is negative.
    """
    if wins < 0 or losses < 0:
        raise ValueError(f"a sign test needs counts of 0 or more, got {wins} wins and {losses} losses")
    # scipy refuses a test without trials.
    from scipy.stats import binomtest  # A second, which a stage that only reads results need not wait for.

    return float(binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0


def mcnemar_test(only_base: int, only_tuned: int) -> float:
    """Exact McNemar test of paired 0/1 values: the sign test on the discordant pairs.

    Args:
        only_base: pairs with 1 for the base and 0 for the tuned model.
        only_tuned: pairs with 0 for the base and 1 for the tuned model.

    Returns:
        Two-sided p; 1 without discordant pairs.

    Reference: McNemar 1947, doi:10.1007/BF02295996, in its exact binomial form.
    """
    return sign_test(only_base, only_tuned)


def mcnemar_mid_p(only_base: int, only_tuned: int) -> float:
    """Mid-p McNemar test: the exact test, with half the weight on the counts that were seen.

    The exact test is conservative: few discordant pairs have few possible p-values. On 512 independent pairs with
    rates of 3%, exact p < .05 comes up in 3.1% of null comparisons, with rates of 1% in 2.2%. Mid-p < .05 comes up in
    4.5% and 4.1%. The price is that the test is not exact: given the number of discordant pairs, up to 7.7% of null
    comparisons have mid-p < .05 (at 16 discordant pairs). Neither scipy nor statsmodels has this test.

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
    from scipy.stats import binom

    return min(1.0, float(2 * binom.cdf(fewer, pairs, 0.5) - binom.pmf(fewer, pairs, 0.5)))


def holm(p_values: Mapping[str, float | None]) -> dict[str, float | None]:
    """Adjust p-values for testing several hypotheses at once (Holm 1979).

    statsmodels has the correction as well, but takes a second to import: most of what a verdict costs.

    Args:
        p_values: p by name of hypothesis; None is a test that could not be made, and does not count.

    Returns:
        Adjusted p by name, in the order given; None stays None.

    Raises:
        ValueError: a p-value is outside 0 to 1.
    """
    for name, p in p_values.items():
        if p is not None and not 0 <= p <= 1:
            raise ValueError(f"the p-value of {name} is {p}: it must be from 0 to 1")
    rising = sorted((p, name) for name, p in p_values.items() if p is not None)
    # The smallest p counts once per test, the next once less; none is below the one before it, or above 1.
    products = [p * (len(rising) - place) for place, (p, _) in enumerate(rising)]
    adjusted = {name: min(1.0, p) for (_, name), p in zip(rising, accumulate(products, max), strict=True)}
    return {name: adjusted.get(name) for name in p_values}
