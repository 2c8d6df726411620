"""Tests of rates with noise: those of perfect labels without noise, and truths at the limit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from anomend.people.estimates import estimate
from anomend.statistics.noisy_pairs import Noise, NoisyPairs, fractional_tails
from anomend.statistics.one_sided import rate_tails
from anomend.statistics.paired_rise import PairCounts, rise_tails
from anomend.statistics.proportions import wilson_interval
from tests.people.made import simulated_pairs

NONE = Noise.of(np.zeros((3, 3)))


def perfect(both: int, only_base: int, only_tuned: int, neither: int) -> NoisyPairs:
    n = both + only_base + only_tuned + neither
    return NoisyPairs(
        n=n,
        seen=n,
        base=(both + only_base) / n,
        tuned=(both + only_tuned) / n,
        rise=(only_tuned - only_base) / n,
        both=both / n,
        tuned_noise=NONE,
        rise_noise=NONE,
    )


@pytest.mark.parametrize("counts", [(8, 92, 4, 152), (0, 0, 0, 200), (3, 10, 20, 167)])
def test_without_noise_the_tests_are_those_of_counts(counts: tuple[int, int, int, int]) -> None:
    pairs, exact = perfect(*counts), PairCounts(*counts)
    for limit in (0.05, 0.15, 0.4):
        assert pairs.tuned_tails(limit).beyond == pytest.approx(rate_tails(exact.tuned, exact.n, limit).beyond)
        assert pairs.tuned_tails(limit).within == pytest.approx(rate_tails(exact.tuned, exact.n, limit).within)
    for limit in (-0.3, 0.05, 0.2):
        # Beyond 128 pairs both are Tango's score.
        assert pairs.rise_tails(limit).beyond == pytest.approx(rise_tails(exact, limit).beyond, abs=1e-9)
        assert pairs.rise_tails(limit).within == pytest.approx(rise_tails(exact, limit).within, abs=1e-9)
    assert pairs.interval() == pytest.approx(wilson_interval(exact.tuned, exact.n), abs=1e-6)


def test_noise_makes_every_test_less_sure() -> None:
    pairs = perfect(8, 92, 4, 152)
    noisy = replace(pairs, tuned_noise=Noise.of(np.diag([1e-3, 0, 0])), rise_noise=Noise.of(np.diag([1e-3, 0, 0])))
    assert noisy.tuned_tails(0.15).beyond > pairs.tuned_tails(0.15).beyond
    assert noisy.rise_tails(-0.3).beyond > pairs.rise_tails(-0.3).beyond
    low, high = pairs.interval()
    noisy_low, noisy_high = noisy.interval()
    assert noisy_low < low < high < noisy_high
    assert noisy.whole_pairs < pairs.whole_pairs == 256


def test_counts_need_not_be_whole() -> None:
    whole = fractional_tails(3, 40, 0.15)
    assert whole.beyond == pytest.approx(rate_tails(3, 40, 0.15).beyond)
    assert whole.within == pytest.approx(rate_tails(3, 40, 0.15).within)
    assert whole.beyond < fractional_tails(3.5, 40, 0.15).beyond < fractional_tails(4, 40, 0.15).beyond
    assert fractional_tails(0, 12.5, 0.15).within == 1


def test_it_is_stored_and_read_again() -> None:
    pairs = perfect(8, 92, 4, 152)
    assert NoisyPairs.from_dict(pairs.as_dict() | {"name": "grass"}) == pairs
    for broken in ({"tuned": 1.5}, {"n": 0}, {"tuned_noise": [1, 2]}, {"rise": float("nan")}):
        with pytest.raises((TypeError, ValueError)):
            NoisyPairs.from_dict(pairs.as_dict() | broken)


@pytest.mark.parametrize("errors", [(0.05, 0.1, 0.2), (0.1, 0.1, 0.1)])
def test_the_interval_holds_the_true_rate_and_is_little_wider_than_that_of_perfect_raters(
    errors: tuple[float, ...],
) -> None:
    """150 repetitions: a coverage of 94% gives 91% or less in about 3% of tests; the study has thousands."""
    rng, held, widths = np.random.default_rng(7), 0, []
    for _ in range(150):
        pairs, wrong = simulated_pairs(rng, 96, (0.7, 0.12), errors)
        found = estimate(pairs)
        assert found
        low, high = found.pairs.interval()
        held += low <= 0.12 <= high
        perfect_low, perfect_high = wilson_interval(int(wrong[:, 1].sum()), 96)
        widths.append((high - low) / (perfect_high - perfect_low))
    assert held / 150 >= 0.915
    assert np.mean(widths) < 1.4


@pytest.mark.parametrize("pairs_per_prompt", [32, 128])
def test_a_rate_at_the_limit_passes_in_at_most_one_of_twenty(pairs_per_prompt: int) -> None:
    rng, passed, fell = np.random.default_rng(8), 0, 0
    for _ in range(150):
        pairs, _ = simulated_pairs(rng, pairs_per_prompt, (0.45, 0.15), (0.05, 0.1, 0.2))
        found = estimate(pairs)
        assert found
        passed += found.pairs.tuned_tails(0.15).beyond <= 0.05
        fell += found.pairs.rise_tails(-0.3).beyond <= 0.05
    assert passed / 150 <= 0.09 and fell / 150 <= 0.09
