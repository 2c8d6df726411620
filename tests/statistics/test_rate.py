"""A rate keeps what it was computed with on its way through a metric file."""

from __future__ import annotations

import json

import pytest
from statsmodels.stats.proportion import proportion_confint

from anomend.statistics.rate import Rate


@pytest.mark.parametrize(("k", "n"), [(0, 10), (26, 256), (7, 7)])
def test_a_rate_has_its_wilson_interval(k: int, n: int) -> None:
    rate = Rate.of(k, n)
    assert (rate.value, rate.k, rate.n) == (k / n, k, n)
    assert (rate.ci_low, rate.ci_high) == pytest.approx(proportion_confint(k, n, method="wilson"), abs=1e-12)


def test_a_stored_rate_is_read_back_exactly() -> None:
    rate = Rate.of(3, 7)
    stored = json.loads(json.dumps({"name": "target", **rate.as_dict()}))
    assert Rate.from_dict(stored) == rate


def test_a_rate_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="n >= 1"):
        Rate.of(0, 0)
