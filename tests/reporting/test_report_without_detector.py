"""The report of a run at whose anatomy nobody looked, or somebody whose word is no proof."""

from __future__ import annotations

from dataclasses import replace

from anomend.measuring.rates import anomaly_rates, rate_metrics
from anomend.reporting.inputs import ReportInputs
from anomend.reporting.pairs import first_pairs
from anomend.reporting.render import render_report


def test_images_at_which_nobody_looked_are_neither_right_nor_wrong(inputs: ReportInputs) -> None:
    images = [
        table.assign(anomalous=float("nan"), anomalies=None) for table in (inputs.images_base, inputs.images_tuned)
    ]
    pairs = first_pairs(inputs.samples_base, inputs.samples_tuned, *images, per_prompt=1)
    assert {shot.finding for pair in pairs for shot in (pair.base, pair.tuned)} == {"not assessed"}
    nothing = dict.fromkeys(("base", "tuned", "delta", "ci_low", "ci_high", "p")) | {"reason": "nobody looked"}
    rates = dict.fromkeys(("anomaly_rate_target", "anomaly_rate_held_out"), inputs.compare["diversity"] | nothing)
    unseen = replace(inputs, images_base=images[0], images_tuned=images[1], compare={**inputs.compare, **rates})
    measured = [{**inputs.measure_base, **rate_metrics(anomaly_rates(table))} for table in images]
    unseen = replace(unseen, measure_base=measured[0], measure_tuned=measured[1])
    for page in render_report(unseen):
        assert "nobody looked" in page and "no image of this prompt was looked at" in page
        assert "Nobody looked at the anatomy of the base model" in page and "is anomalous." not in page


def test_a_caution_stands_beside_the_rates_and_nothing_is_called_improved(inputs: ReportInputs) -> None:
    words = {"caution": "the detector photographs tells what can be made out"}
    rates = {name: inputs.compare[name] | words for name in ("anomaly_rate_target", "anomaly_rate_held_out")}
    plain, careful = (render_report(run)[0] for run in (inputs, replace(inputs, compare={**inputs.compare, **rates})))
    assert "no proof of right or wrong anatomy: the detector photographs tells what" in careful
    assert "no proof of right" not in plain
    assert plain.count("improved") == careful.count("improved") + 1
