"""Exact tests against scipy and statsmodels, and values by hand."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import binom, binomtest
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from anomend.statistics.exact_tests import holm, mcnemar_mid_p, mcnemar_test, sign_test


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
    """The numbers in its docstring, by summing over all outcomes of independent pairs."""

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
    draws = np.random.default_rng(0)
    for number in range(1, 30):
        values = {str(place): float(p) for place, p in enumerate(draws.beta(0.3, 1, number).round(number % 4 + 1))}
        expected = multipletests(list(values.values()), method="holm")[1]
        assert list(holm(values).values()) == expected.tolist()  # To the last bit, ties included.
    assert holm({"a": 0.03, "none": None, "b": 0.02}) == {"a": 0.04, "none": None, "b": 0.04}
    assert holm({}) == {}
    with pytest.raises(ValueError, match="of x is"):
        holm({"x": 1.5})
