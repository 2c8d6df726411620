"""Evidence about a mean of weighted labels, against the e-value of counts and by exact means."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from anomend.statistics.e_values import log_e_above
from anomend.statistics.weighted_e_values import least_mean, log_e_mean


@pytest.mark.parametrize(("k", "n"), [(0, 0), (0, 8), (3, 8), (8, 8), (30, 64), (64, 64)])
def test_labels_that_all_count_one_give_the_e_value_of_counts(k: int, n: int) -> None:
    assert log_e_mean([1.0] * k + [0.0] * (n - k), 0.2) == pytest.approx(log_e_above(k, n, 0.2), abs=0.005)


def test_two_values_by_hand() -> None:
    """Mean over u of (1 + 2u)(1 - u) = 1 + u - 2u^2, which is 1 + 1/2 - 2/3."""
    assert math.exp(log_e_mean([0.6, 0.0], 0.2)) == pytest.approx(5 / 6, abs=1e-4)


def test_its_mean_is_one_at_the_limit_and_less_below() -> None:
    """Values 0, 0.5 and 2, three of them: all 27 outcomes."""
    chances = {0.0: 0.8, 0.5: 0.1, 2.0: 0.1}
    mean = sum(value * chance for value, chance in chances.items())

    def expected(limit: float) -> float:
        return sum(
            math.prod(chances[value] for value in values) * math.exp(log_e_mean(values, limit))
            for values in itertools.product(chances, repeat=3)
        )

    assert expected(mean) == pytest.approx(1) and expected(mean + 0.05) < 1 < expected(mean - 0.05)


def test_the_lower_end_is_where_the_evidence_is_enough() -> None:
    values = [0.8, 1.6, 0.0, 0.8, 0.8, 1.6, 0.8, 0.8, 0.8, 0.8]
    low = least_mean(values, 0.05)
    assert log_e_mean(values, low) == pytest.approx(math.log(20)) and 0 < low < np.mean(values)
    assert least_mean([], 0.05) == least_mean([0.0] * 9, 0.05) == 0


def test_values_below_0_are_refused() -> None:
    with pytest.raises(ValueError, match="0 or more"):
        log_e_mean([0.5, -0.1], 0.2)
