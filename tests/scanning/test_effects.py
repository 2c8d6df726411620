"""The model of the factors against scipy's optimiser, and what it says of worlds whose reasons are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from anomend.scanning.effects import SPREAD, factor_effects, fit, predicted
from anomend.scanning.rules import Tally
from anomend.scanning.suites import Suite, SuitePrompt

POSES, PLACES = ("lying", "sitting", "standing"), ("grass", "street", "beach", "snow")
SUITE = Suite(
    tuple(
        SuitePrompt(prompt=f"{pose} on the {place}", levels={"pose": pose, "place": place})
        for pose in POSES
        for place in PLACES
    )
)


def tallies(rates: dict[str, float], n: int = 40) -> dict[str, Tally]:
    """Rates by pose, by place, or by whole prompt; the first that names a prompt counts."""
    found = {}
    for prompt in SUITE.prompts:
        keys = (prompt.prompt, *prompt.levels.values())
        found[prompt.prompt] = Tally(round(n * next((rates[key] for key in keys if key in rates), 0.05)), n)
    return found


def test_the_fit_is_where_an_independent_optimiser_finds_the_most_probable_weights() -> None:
    rng = np.random.default_rng(2)
    used = np.column_stack([np.eye(3, dtype=bool)[np.arange(30) % 3], np.eye(2, dtype=bool)[np.arange(30) % 2]])
    n = rng.integers(8, 40, size=30).astype(float)
    k = rng.binomial(n.astype(int), 0.1 + 0.7 * used[:, 0]).astype(float)

    def loss(weights: np.ndarray) -> float:
        logits = weights[0] + used @ weights[1:]
        prior = weights[0] ** 2 / 200 + (weights[1:] ** 2).sum() / (2 * SPREAD**2)
        return float((n * np.logaddexp(0, logits) - k * logits).sum() + prior)

    expected = minimize(loss, np.zeros(6), method="BFGS", options={"gtol": 1e-8}).x
    weights, covariance = fit(used, k, n)
    assert weights == pytest.approx(expected, abs=1e-4)
    assert np.all(np.linalg.eigvalsh(covariance) > 0)
    assert predicted(used, weights)[used[:, 0]].mean() > 0.6


def test_a_pose_that_is_wrong_everywhere_is_the_reason_and_the_place_is_none() -> None:
    effects = factor_effects(SUITE, tallies({"lying": 0.9}))
    by_level = {level.level: level for level in effects.levels}
    assert by_level["lying"].ci_low > 0 > by_level["sitting"].ci_high and by_level["lying"].rate > 0.8
    assert all(by_level[place].ci_low < 0 < by_level[place].ci_high for place in PLACES)
    assert effects.together is not None and effects.together > 0.95
    assert effects.explained["pose"] > 0.9 and effects.explained["place"] < 0.05


def test_single_combinations_are_what_the_factors_do_not_explain() -> None:
    """The miniature's own defect: lying on two of four places, and sitting on a third."""
    wrong = dict.fromkeys(("lying on the grass", "lying on the street", "sitting on the snow"), 0.8)
    effects = factor_effects(SUITE, tallies(wrong))
    assert effects.together is not None and 0.2 < effects.together < 0.8
    assert effects.explained["pose"] > 0.1


@pytest.mark.parametrize("k", [0, 40])
def test_prompts_that_are_all_alike_have_nothing_to_explain(k: int) -> None:
    effects = factor_effects(SUITE, {prompt.prompt: Tally(k, 40) for prompt in SUITE.prompts})
    assert effects.together is None and set(effects.explained.values()) == {0.0}
    assert all(np.isfinite([level.effect, level.ci_low, level.rate]).all() for level in effects.levels)
