"""Power-tuned means: against ppi-python, and useless predictions."""

from __future__ import annotations

import numpy as np
import pytest

from anomend.statistics.prediction_powered import Stratum, power_tuning, powered_mean


def bits(text: str) -> np.ndarray:
    return np.array([float(bit) for bit in text])


LABELS = bits("110010010110000010011011000010")
PREDICTIONS = bits("110110010110000000011011100010")
OTHERS = bits("1000010100000001111010000100000100100101000110101101100000000010010110")


def stratum(**changes: np.ndarray) -> Stratum:
    values = {"labels": LABELS, "predictions": PREDICTIONS, "others": OTHERS} | changes
    return Stratum(weight=1.0, **values)


def test_the_estimate_is_that_of_ppi_python() -> None:
    """ppi_mean_pointestimate of ppi-python 0.2.3, with its own power tuning."""
    assert powered_mean([stratum()]).value == pytest.approx(0.34799657, abs=1e-8)


def test_the_variance_is_that_of_ppi_python_but_for_the_added_disagreement() -> None:
    """Its 95% interval is .21859093 to .47740221, so that its standard error is .066025."""
    powered = powered_mean([stratum()])
    stated = np.sqrt(powered.gain * LABELS.var() / len(LABELS))
    assert 0.066025 < stated < 1.15 * 0.066025


def test_useless_predictions_leave_the_labels_alone() -> None:
    rng = np.random.default_rng(0)
    powers = []
    for _ in range(20):
        noise = rng.integers(2, size=100).astype(float)
        powered = powered_mean([stratum(predictions=noise[:30], others=noise[30:])])
        powers.append(powered.power)
        if powered.power == 0:
            assert powered.value == LABELS.mean() and powered.gain == 1 and powered.saved(30) == 0
    assert np.mean(np.array(powers) == 0) > 0.6
    constant = powered_mean([stratum(predictions=np.ones(30), others=np.ones(70))])
    assert (constant.value, constant.power) == (LABELS.mean(), 0.0)


def test_predictions_of_the_opposite_are_not_used() -> None:
    assert power_tuning([stratum(predictions=1 - LABELS)]) == 0


def test_perfect_predictions_save_labels_but_never_all() -> None:
    powered = powered_mean([stratum(predictions=LABELS)])
    assert 0.3 < powered.gain < 0.5
    assert powered.saved(30) == int(30 / powered.gain) - 30 > 30


def test_strata_are_weighted_by_their_share_of_all_units() -> None:
    """Two prompts of 10 and 30 units, all labelled by hand: .25 * .5 + .75 * .2."""
    first = Stratum(weight=0.25, labels=bits("1010101010"), predictions=bits("0" * 10), others=np.zeros(0))
    second = Stratum(weight=0.75, labels=bits("1" * 6 + "0" * 24), predictions=bits("0" * 30), others=np.zeros(0))
    assert powered_mean([first, second]).value == pytest.approx(0.25 * 0.5 + 0.75 * 0.2)
