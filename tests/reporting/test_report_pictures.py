"""The charts of the report."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from scipy.stats import binomtest

from anomend.measuring.rates import anomaly_rates, rate_metrics
from anomend.reporting.charts import rate_chart, renamed
from anomend.reporting.inputs import ReportInputs
from anomend.reporting.rates import prompt_rates
from anomend.reporting.training_charts import anomaly_chart, loss_chart, validation_chart
from anomend.statistics.rate import Rate


def test_rates_match_scipys_wilson_interval(inputs: ReportInputs) -> None:
    target, held_out = prompt_rates(inputs.measure_base, inputs.measure_tuned)
    assert target.base is not None and held_out.tuned is not None
    expected = binomtest(4, 5).proportion_ci(method="wilson")
    assert (target.base.k, target.base.n) == (4, 5)
    assert (target.base.ci_low, target.base.ci_high) == pytest.approx((expected.low, expected.high))
    assert held_out.tuned.value == 0


def test_charts_are_wellformed_follow_the_theme_and_hold_what_was_measured(inputs: ReportInputs) -> None:
    curves = inputs.train_loss
    assert curves is not None
    rates = prompt_rates(inputs.measure_base, inputs.measure_tuned)
    evaluations = validation_chart(curves, 40), anomaly_chart(curves, 40, rates={20: Rate.of(3, 10)}, base_rate=0.8)
    for svg in (rate_chart(rates), loss_chart(curves), *evaluations):
        root = ElementTree.fromstring(svg)
        assert "viewBox" in root.attrib and "width" not in root.attrib
        assert "currentColor" in svg and "#010203" not in svg and "#000000" not in svg
        assert "http" not in svg and "<metadata" not in svg
    text = rate_chart(rates)
    assert "lying on the grass" in text and "sitting on the beach" in text
    assert "class images" in loss_chart(curves)
    assert renamed(loss_chart(curves, "loss"), "loss", "again") == loss_chart(curves, "again")


def test_charts_do_not_depend_on_the_order_of_a_set(inputs: ReportInputs) -> None:
    rates = prompt_rates(inputs.measure_base, inputs.measure_tuned)
    shuffled = [rate_metrics(anomaly_rates(images[::-1])) for images in (inputs.images_base, inputs.images_tuned)]
    assert rate_chart(rates) == rate_chart(prompt_rates(*shuffled))
    assert not re.search(r"\d{4}-\d{2}-\d{2}", rate_chart(rates))
