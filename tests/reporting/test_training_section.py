"""The training in pictures."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from anomend.reporting.inputs import ReportInputs
from anomend.reporting.training_charts import anomaly_chart, has_curve, loss_chart
from anomend.reporting.training_section import training_charts, training_samples
from anomend.statistics.rate import Rate


def test_a_run_without_class_images_has_one_curve(inputs: ReportInputs) -> None:
    assert inputs.train_loss is not None
    without = inputs.train_loss.assign(prior_loss=float("nan"))
    assert "class images" not in loss_chart(without)
    with pytest.raises(ValueError, match="loss"):
        loss_chart(pd.DataFrame({"step": [1]}))


def test_a_long_run_stays_small() -> None:
    steps = 50_000
    svg = loss_chart(pd.DataFrame({"step": range(steps), "loss": np.random.default_rng(0).random(steps)}))
    assert len(svg) < 60_000


def test_the_loss_of_rewards_is_about_drawn_images(inputs: ReportInputs) -> None:
    assert "instance images" in training_charts(inputs)["Training loss"]
    by_rewards = replace(inputs, parameters=inputs.parameters | {"train": {"method": "nft"}})
    chart = training_charts(by_rewards)["Training loss"]
    assert "drawn images" in chart and "instance images" not in chart


def heights(svg: str, ids: str) -> list[float]:
    """Ends of the vertical strokes in a group of an SVG, from the top, in points."""
    group = svg[svg.index(f'id="{ids}"') :].split("</g>")[0]
    return [float(y) for y in re.findall(r"[ML] [\d.]+ ([\d.]+)", group)]


def test_evaluations_have_wilson_intervals_on_a_scale_of_0_to_100() -> None:
    curves = pd.DataFrame({"step": [100, 200], "anomaly_rate": [0.5, 0.1]})
    rates = {100: Rate.of(10, 20), 200: Rate.of(2, 20)}
    svg = anomaly_chart(curves, kept_step=200, rates=rates)
    ends = np.array(heights(svg, "evaluations-LineCollection_1")).reshape(2, 2)
    expected = [binomtest(k, 20).proportion_ci(method="wilson") for k in (10, 2)]
    spans = np.array([interval.high - interval.low for interval in expected])
    drawn = ends[:, 0] - ends[:, 1]
    np.testing.assert_allclose(drawn / drawn[0], spans / spans[0], rtol=1e-3)
    assert "kept" in svg and "base model" not in svg
    assert "kept" not in anomaly_chart(curves, None) and "base model" in anomaly_chart(curves, None, base_rate=0.8)


def test_a_run_shows_the_curves_that_it_logged(inputs: ReportInputs) -> None:
    assert list(training_charts(inputs)) == ["Training loss", "Validation loss", "Anomaly rate while training"]
    assert inputs.train_loss is not None
    unseen = replace(inputs, train_loss=inputs.train_loss.assign(anomaly_rate=float("nan")))
    assert list(training_charts(unseen)) == ["Training loss", "Validation loss"]
    assert training_charts(replace(inputs, train_loss=None)) == {}
    assert not has_curve(None, "loss")


def test_many_evaluations_are_thinned_and_the_last_stays(complete: ReportInputs) -> None:
    assert len(complete.training_samples) == 12
    assert list(training_samples(complete.training_samples)) == [100, 300, 400, 600, 700, 900, 1000, 1200]
    assert list(training_samples(dict(list(complete.training_samples.items())[:3]))) == [100, 200, 300]
    assert training_samples({}) == {}
