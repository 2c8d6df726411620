"""The ratio of two diversities against brute force and simulated truths."""

from __future__ import annotations

import math

import numpy as np
import pytest

from anomend.statistics.one_sided import ratio_tails
from anomend.statistics.within_set import within_set_mean
from anomend.statistics.within_set_ratio import MIN_IMAGES, SetMean, jackknife, log_ratio, over_prompts


def squared_distances(values: np.ndarray) -> np.ndarray:
    return (values[:, None] - values[None, :]) ** 2


def test_the_jackknife_by_leaving_out_each_image() -> None:
    rng = np.random.default_rng(0)
    sets = [squared_distances(rng.normal(size=n)) for n in (9, 12)]
    variances = []
    for values in sets:
        n = len(values)
        left = [within_set_mean(np.delete(np.delete(values, i, 0), i, 1)) for i in range(n)]
        variances.append((n - 1) * float(np.var(np.array(left, dtype=float))))
    found = over_prompts([jackknife(values) for values in sets])
    mean = float(np.mean([within_set_mean(values) for values in sets]))
    assert found.value == pytest.approx(mean) and found.images == 21
    assert found.relative_variance == pytest.approx(sum(variances) / 4 / mean**2)
    freedom = sum(variances) ** 2 / (variances[0] ** 2 / 8 + variances[1] ** 2 / 11)
    assert found.freedom == pytest.approx(freedom)


def test_both_errors_come_from_the_larger_variance_per_image() -> None:
    base = SetMean(value=0.1, images=20, relative_variance=0.01, freedom=18)
    tuned = SetMean(value=0.08, images=100, relative_variance=0.001, freedom=98)
    found = log_ratio(base, tuned)
    assert found is not None and found.ratio == pytest.approx(0.8) and found.freedom == 18
    assert found.log_error == pytest.approx(math.sqrt(0.2 * (1 / 20 + 1 / 100)))
    low, high = found.interval(0.95)
    assert low * high == pytest.approx(0.64)
    assert log_ratio(base, SetMean(value=0.0, images=20, relative_variance=math.inf, freedom=18)) is None


def test_too_few_images_are_refused() -> None:
    with pytest.raises(ValueError, match=f"{MIN_IMAGES} images"):
        jackknife(np.zeros((MIN_IMAGES - 1, MIN_IMAGES - 1)))


@pytest.mark.parametrize(("of_base", "of_tuned"), [(8, 60), (27, 119)])
def test_a_ratio_at_its_limit_passes_in_about_5_percent(of_base: int, of_tuned: int) -> None:
    """Vectors of 16 numbers whose mean squared distance is .7 of the base's; 1,000 runs: standard error .007."""
    rng = np.random.default_rng(0)

    def distances(count: int, scale: float) -> np.ndarray:
        values = scale * rng.normal(size=(count, 16))
        return ((values[:, None] - values[None, :]) ** 2).sum(axis=2)

    passed = failed = 0
    for _ in range(1000):
        base, tuned = (
            over_prompts([jackknife(distances(count, scale)) for _ in range(2)])
            for count, scale in ((of_base, 1.0), (of_tuned, math.sqrt(0.7)))
        )
        found = log_ratio(base, tuned)
        assert found is not None
        tails = ratio_tails(found.ratio, log_error=found.log_error, freedom=found.freedom, limit=0.7)
        passed, failed = passed + (tails.beyond <= 0.05), failed + (tails.within <= 0.05)
    assert passed / 1000 <= 0.07 and failed / 1000 <= 0.07
