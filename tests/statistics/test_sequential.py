"""Levels of repeated tests against the multivariate normal distribution, published boundaries and simulated data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import binom, multivariate_normal, norm

from anomend.statistics import sequential
from anomend.statistics.sequential import spent_levels


def probability_of_any(shares: Sequence[float], levels: Sequence[float]) -> float:
    """That one of the normal scores of a Brownian motion exceeds its bound."""
    times = np.asarray(shares)
    correlation = np.minimum.outer(times, times) / np.sqrt(np.outer(times, times))
    return float(1 - multivariate_normal(cov=correlation, abseps=2e-6, releps=1e-4).cdf(norm.isf(levels)))


@pytest.mark.parametrize(
    ("shares", "error"), [([0.5, 1], 0.025), ([0.2, 0.4, 0.5, 0.6, 0.8, 1], 0.05), ([0.1, 0.15, 0.9, 1], 0.05 / 8)]
)
def test_all_looks_together_err_as_often_as_asked(shares: list[float], error: float) -> None:
    levels = spent_levels(shares, error)
    assert probability_of_any(shares, levels) == pytest.approx(error, rel=5e-3)
    spent = [probability_of_any(shares[:count], levels[:count]) for count in range(2, len(shares))]
    assert spent == pytest.approx([error * share**sequential.EXPONENT for share in shares[1:-1]], rel=5e-3)


def test_without_shared_out_error_five_looks_err_in_an_eighth_of_runs() -> None:
    assert probability_of_any([0.2, 0.4, 0.6, 0.8, 1], [0.05] * 5) == pytest.approx(0.13, abs=0.002)


def test_published_boundaries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lan and DeMets (1983): five looks, error .025 on one side, spent at a constant rate."""
    monkeypatch.setattr(sequential, "EXPONENT", 1.0)
    bounds = norm.isf(spent_levels([0.2, 0.4, 0.6, 0.8, 1], 0.025))
    assert bounds == pytest.approx([2.58, 2.49, 2.41, 2.34, 2.28], abs=0.006)


def test_one_look_has_the_whole_error_and_looks_at_the_same_data_have_none() -> None:
    assert spent_levels([1], 0.05) == (0.05,)
    twice = spent_levels([0.5, 0.5, 1], 0.05)
    assert twice[1] == 0 and (twice[0], twice[2]) == spent_levels([0.5, 1], 0.05)


@pytest.mark.parametrize("shares", [[], [0.5], [0, 1], [0.6, 0.4, 1], [0.5, 1.1]])
def test_other_shares_are_refused(shares: list[float]) -> None:
    with pytest.raises(ValueError, match="rise from above 0 to 1"):
        spent_levels(shares, 0.05)


def test_exact_binomial_tests_err_at_most_as_often() -> None:
    """Rates at the limit of 15%, with 320 images at the last look: in 40,000 runs."""
    images = np.array([64, 128, 160, 192, 256, 320])
    levels = spent_levels(list(images / 320), 0.05)
    rng = np.random.default_rng(5)
    counts = rng.binomial(np.diff(images, prepend=0), 0.15, size=(40_000, 6)).cumsum(axis=1)
    passed = (binom.cdf(counts, images, 0.15) <= levels).any(axis=1).mean()
    assert 0.03 < passed < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 40_000)
