"""Which evaluation was best, when evaluations no longer improve, and how they get into a checkpoint and back."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binomtest

from anomend.training.evaluations import Evaluation, EvaluationHistory, standard_error
from anomend.training.run import evaluation_rates

BINS = [0.1, 0.2, float("nan"), 0.4, 0.5]


def history_of(*rates: float | None) -> EvaluationHistory:
    """Evaluations with these anomaly rates, every 10 steps."""
    history = EvaluationHistory()
    for index, rate in enumerate(rates):
        history.add(10 * (index + 1), Evaluation(anomaly_rate=rate, validation_loss=0.5), BINS)
    return history


def test_the_lowest_rate_is_best_and_of_equals_the_earliest() -> None:
    assert history_of(0.5, 0.2, 0.3, 0.2).best == 1
    assert history_of(None, None).best is None
    history = EvaluationHistory()
    evaluations = [Evaluation(anomaly_rate=rate, validation_loss=None) for rate in (0.5, 0.6, 0.4)]
    assert [history.add(step, each, BINS) for step, each in enumerate(evaluations)] == [True, False, True]


def test_the_validation_loss_decides_between_rates_that_differ_by_chance() -> None:
    history = EvaluationHistory()
    # 1, 2 and 8 of 32: one standard error of the lowest is .042 (by hand: p = 2/34), so the second is its equal.
    for step, (count, loss) in enumerate([(1, 0.30), (2, 0.20), (8, 0.10)]):
        history.add(step, Evaluation(anomaly_rate=count / 32, validation_loss=loss, sampled=32), BINS)
    assert standard_error(1 / 32, 32) == pytest.approx(math.sqrt(2 / 34 * 32 / 34 / 32))
    assert history.best == 1
    assert EvaluationHistory.from_tensors(history.tensors()).best == 1


def test_weights_that_harm_elsewhere_are_never_the_best() -> None:
    history = EvaluationHistory()
    for step, (rate, elsewhere) in enumerate([(0.5, 0.1), (0.3, 0.1), (0.0, 0.4)]):
        harmful = elsewhere > 0.2
        history.add(
            step,
            Evaluation(anomaly_rate=rate, validation_loss=None, held_out_rate=elsewhere, harmful=harmful),
            BINS,
        )
    assert history.best == 1
    again = EvaluationHistory.from_tensors(history.tensors())
    assert again.best == 1 and [each.held_out_rate for each in again.evaluations] == [0.1, 0.1, 0.4]


def test_patience_counts_evaluations_since_the_best() -> None:
    assert not history_of(0.5, 0.2, 0.3).no_longer_improves(2)
    assert history_of(0.5, 0.2, 0.3, 0.2).no_longer_improves(2)
    assert not history_of(0.5, 0.2, 0.3, 0.2).no_longer_improves(0)
    assert not history_of(None, None, None).no_longer_improves(1)


def test_evaluations_survive_a_checkpoint() -> None:
    before = history_of(0.5, None, 0.25)
    picture = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    before.add(40, Evaluation(anomaly_rate=0.0, validation_loss=None, images=(picture, picture)), BINS)
    after = EvaluationHistory.from_tensors(before.tensors())
    assert after.steps == before.steps and after.best == before.best == 3
    assert [evaluation.anomaly_rate for evaluation in after.evaluations] == [0.5, None, 0.25, 0.0]
    last = after.evaluations[3]
    assert last.validation_loss is None and np.array_equal(last.images[1], picture)
    assert np.allclose(after.loss_by_sigma, before.loss_by_sigma, equal_nan=True)


def test_the_rates_of_evaluations_have_the_intervals_of_their_images() -> None:
    history = EvaluationHistory()
    history.add(100, Evaluation(anomaly_rate=0.25, validation_loss=None, sampled=32), [])
    history.add(200, Evaluation(anomaly_rate=None, validation_loss=0.1), [])
    ((step, row),) = evaluation_rates(history).items()
    expected = binomtest(8, 32).proportion_ci(method="wilson")
    assert (step, row["k"], row["n"], row["value"]) == ("100", 8, 32, 0.25)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((expected.low, expected.high))
