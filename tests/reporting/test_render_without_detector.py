"""The report of a run without a detector, or with a detector that proves nothing."""

from __future__ import annotations

from dataclasses import replace

from anomend.measuring.rates import anomaly_rates, rate_metrics
from anomend.reporting.inputs import ReportInputs
from anomend.reporting.render import render_report


def test_images_without_a_detector_are_neither_right_nor_wrong(inputs: ReportInputs) -> None:
    images = [
        table.assign(anomalous=float("nan"), anomalies=None) for table in (inputs.images_base, inputs.images_tuned)
    ]
    nothing = dict.fromkeys(("base", "tuned", "delta", "ci_low", "ci_high", "p")) | {"reason": "no detector"}
    rates = dict.fromkeys(("anomaly_rate_target", "anomaly_rate_held_out"), inputs.compare["diversity"] | nothing)
    unseen = replace(inputs, images_base=images[0], images_tuned=images[1], compare={**inputs.compare, **rates})
    measured = [{**inputs.measure_base, **rate_metrics(anomaly_rates(table))} for table in images]
    unseen = replace(unseen, measure_base=measured[0], measure_tuned=measured[1])
    findings = {image.finding for pair in unseen.first_pairs for image in (pair.base, pair.tuned)}
    assert findings == {"not assessed"}
    for page in render_report(unseen):
        assert "n/a (no detector)" in page and "no detector ran on images of this prompt" in page
        assert "not assessed" in page and "is anomalous." not in page


def test_a_caution_is_next_to_the_rates_and_nothing_is_called_improved(inputs: ReportInputs) -> None:
    words = {"caution": "the detector photographs tells what can be made out"}
    rates = {name: inputs.compare[name] | words for name in ("anomaly_rate_target", "anomaly_rate_held_out")}
    plain, careful = (render_report(run)[0] for run in (inputs, replace(inputs, compare={**inputs.compare, **rates})))
    assert "do not prove right or wrong anatomy: the detector photographs tells what" in careful
    assert "do not prove right" not in plain
    assert plain.count("improved") == careful.count("improved") + 1
