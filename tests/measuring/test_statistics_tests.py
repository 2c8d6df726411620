"""Score intervals, exact tests, Holm, and the sample size."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import binom, binomtest
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from anomend.statistics import (
    holm,
    mcnemar_mid_p,
    mcnemar_test,
    newcombe_interval,
    pairs_for_rates,
    sign_test,
    wilson_interval,
)


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (3, 10), (10, 10), (94, 100), (1, 1)])
def test_wilson_agrees_with_statsmodels(successes: int, n: int) -> None:
    for confidence in (0.9, 0.95):
        expected = proportion_confint(successes, n, alpha=1 - confidence, method="wilson")
        assert wilson_interval(successes, n, confidence) == pytest.approx(expected, abs=1e-12)


def test_wilson_stays_within_rates_and_refuses_nothing() -> None:
    assert wilson_interval(0, 7)[0] == 0
    assert wilson_interval(7, 7)[1] == 1
    for successes, n in ((0, 0), (3, 2), (-1, 4)):
        with pytest.raises(ValueError, match="0 <= successes <= n"):
            wilson_interval(successes, n)


def test_newcombe_gives_his_published_example() -> None:
    # Newcombe 1998, method 10, for e, f, g, h = 36, 12, 2, 0.
    low, high = newcombe_interval(36, 2, 12, 0)
    assert (round(low, 4), round(high, 4)) == (0.0569, 0.3404)
    assert newcombe_interval(36, 12, 2, 0) == pytest.approx((-high, -low))


def test_newcombe_keeps_a_width_without_discordant_pairs() -> None:
    low, high = newcombe_interval(0, 0, 0, 20)
    assert -0.2 < low < 0 < high < 0.2
    low, high = newcombe_interval(0, 10, 0, 0)
    assert low == -1 and -1 < high < -0.5


@pytest.mark.parametrize(("wins", "losses"), [(10, 0), (9, 1), (8, 2), (3, 3), (0, 1), (30, 12)])
def test_sign_and_mcnemar_are_the_exact_binomial(wins: int, losses: int) -> None:
    assert sign_test(wins, losses) == pytest.approx(binomtest(wins, wins + losses).pvalue)
    table = np.array([[5, wins], [losses, 7]])
    assert mcnemar_test(wins, losses) == pytest.approx(mcnemar(table, exact=True).pvalue)


def test_mid_p_by_hand() -> None:
    # 5 against 0: half of 1/32 in either tail. 3 against 1: (2 P(0) + P(1)) of four = (2 + 4) / 16.
    assert mcnemar_mid_p(5, 0) == pytest.approx(1 / 32)
    assert mcnemar_mid_p(1, 3) == mcnemar_mid_p(3, 1) == pytest.approx(6 / 16)
    assert all(mcnemar_mid_p(n, n) == pytest.approx(1) and mcnemar_mid_p(n, n) <= 1 for n in range(60))
    # The exact p less half of the probability of the two outcomes as far out as the one seen.
    assert mcnemar_mid_p(9, 16) == pytest.approx(binomtest(9, 25).pvalue - binom.pmf(9, 25, 0.5))


def test_mid_p_is_calibrated_where_the_exact_p_is_not() -> None:
    """The figures of its docstring, by summing over all outcomes of independent pairs."""

    def level(n: int, test: Callable[[int, int], float]) -> float:
        """Probability of p < .05 given n discordant pairs."""
        counts = np.arange(n + 1)
        rejected = [test(int(k), n - int(k)) < 0.05 for k in counts]
        return float(binom.pmf(counts, n, 0.5) @ np.array(rejected))

    def share_below_5(rate: float, pairs: int, test: Callable[[int, int], float]) -> float:
        numbers = np.arange(int(binom.ppf(1 - 1e-6, pairs, 2 * rate * (1 - rate))) + 1)
        weights = binom.pmf(numbers, pairs, 2 * rate * (1 - rate))
        return float(weights @ np.array([level(int(n), test) for n in numbers]))

    assert share_below_5(0.03, 512, mcnemar_test) == pytest.approx(0.031, abs=5e-4)
    assert share_below_5(0.03, 512, mcnemar_mid_p) == pytest.approx(0.045, abs=5e-4)
    assert share_below_5(0.01, 512, mcnemar_test) == pytest.approx(0.022, abs=5e-4)
    assert share_below_5(0.01, 512, mcnemar_mid_p) == pytest.approx(0.041, abs=5e-4)
    levels = [level(n, mcnemar_mid_p) for n in range(1, 40)]
    assert max(levels) == levels[15] == pytest.approx(0.0768, abs=1e-4)


def test_no_discordant_pair_is_no_evidence() -> None:
    assert sign_test(0, 0) == mcnemar_mid_p(0, 0) == 1
    with pytest.raises(ValueError, match="counts of 0 or more, got -1 and 2"):
        mcnemar_mid_p(-1, 2)
    with pytest.raises(ValueError, match="counts"):
        sign_test(-1, 2)


def test_holm_agrees_with_statsmodels_and_skips_tests_not_made() -> None:
    values = {"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005, "e": 0.9}
    expected = multipletests(list(values.values()), method="holm")[1]
    assert list(holm(values).values()) == pytest.approx(list(expected))
    assert holm({"a": 0.03, "none": None, "b": 0.02}) == {"a": 0.04, "none": None, "b": 0.04}
    assert holm({}) == {}
    with pytest.raises(ValueError, match="of x is"):
        holm({"x": 1.5})


def test_sample_size_reaches_its_power() -> None:
    base, tuned = 0.7, 0.45
    n = pairs_for_rates(base, tuned)
    rng = np.random.default_rng(0)
    first, second = rng.random((4000, n)) < base, rng.random((4000, n)) < tuned
    p = [mcnemar_test(int(b), int(c)) for b, c in zip((first & ~second).sum(1), (~first & second).sum(1), strict=True)]
    # The exact test is somewhat conservative beside the asymptotic one that the formula is for.
    assert 0.70 < np.mean(np.array(p) < 0.05) < 0.85


def test_sample_size_by_hand_and_by_clusters() -> None:
    # (1.96 sqrt(.2) + .8416 sqrt(.2 - .01))^2 / .01 = 154.7
    assert pairs_for_rates(0.5, 0.4, discordant=0.2) == 155
    # times 1 + 7 * .1
    assert pairs_for_rates(0.5, 0.4, discordant=0.2, seeds_per_prompt=8, prompt_correlation=0.1) == 263
    assert pairs_for_rates(1.0, 0.0) == 6
    with pytest.raises(ValueError, match="different rates"):
        pairs_for_rates(0.5, 0.5)
    with pytest.raises(ValueError, match="discordant share"):
        pairs_for_rates(0.5, 0.4, discordant=0.05)
