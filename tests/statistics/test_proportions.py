"""Score intervals of rates, against statsmodels and published values."""

from __future__ import annotations

import pytest
from statsmodels.stats.proportion import proportion_confint

from anomend.statistics.proportions import newcombe_interval, wilson_interval


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
