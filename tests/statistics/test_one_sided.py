"""One-sided tests against scipy and by hand."""

from __future__ import annotations

import pytest
from scipy.stats import binomtest

from anomend.statistics.one_sided import lowest_limit, rate_tails, ratio_tails


def test_binomial_tails_are_scipys() -> None:
    for k, n, limit in ((0, 16, 0.15), (17, 256, 0.15), (256, 256, 0.9), (3, 8, 0.5)):
        tails = rate_tails(k, n, limit)
        assert tails.beyond == pytest.approx(binomtest(k, n, limit, alternative="less").pvalue, abs=1e-12)
        assert tails.within == pytest.approx(binomtest(k, n, limit, alternative="greater").pvalue, abs=1e-12)


def test_students_tails_by_hand() -> None:
    # log(.85 / .7) / .1 = 1.9415 with 20 degrees of freedom: p = .0332.
    tails = ratio_tails(0.85, log_error=0.1, freedom=20, limit=0.7)
    assert tails.beyond == pytest.approx(0.0332, abs=2e-4) and tails.beyond + tails.within == pytest.approx(1)


def test_the_bound_inverts_the_test() -> None:
    bound = lowest_limit(lambda limit: rate_tails(17, 256, limit).beyond, 0.05, low=0, high=1)
    assert bound == pytest.approx(binomtest(17, 256).proportion_ci(0.9, method="exact").high, abs=1e-9)
    assert lowest_limit(lambda limit: 1.0, 0.05, low=0, high=1) == 1
