"""The training in pictures: its curves, and samples at its evaluations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from anomend.reporting.inputs import Metrics, ReportInputs
from anomend.reporting.thumbnails import picture_uri
from anomend.reporting.training_charts import anomaly_chart, has_curve, loss_chart, validation_chart
from anomend.statistics.rate import Rate

LOSS, VALIDATION, ANOMALIES = "Training loss", "Validation loss", "Anomaly rate while training"
MOST_SAMPLES, SAMPLES_WIDTH = 8, 768


def training_charts(inputs: ReportInputs) -> dict[str, str]:
    """The charts of the curves that the training logged, by title."""
    curves = inputs.train_loss
    charts: dict[str, str] = {}
    kept = (inputs.train or {}).get("kept_step")
    if curves is not None and not curves.empty:
        drawn = (inputs.parameters.get("train") or {}).get("method") in ("nft", "labels")
        charts[LOSS] = loss_chart(curves, learned="drawn images" if drawn else "instance images")
    if curves is not None and has_curve(curves, "validation_loss"):
        charts[VALIDATION] = validation_chart(curves, kept)
    if curves is not None and has_curve(curves, "anomaly_rate"):
        base = (inputs.compare.get("anomaly_rate_target") or {}).get("base")
        charts[ANOMALIES] = anomaly_chart(curves, kept, rates=evaluation_rates(inputs.train), base_rate=base)
    return charts


def evaluation_rates(train: Metrics | None) -> dict[int, Rate]:
    """The anomaly rates of the evaluations by step, as stage `train` stored them; empty where no detector ran."""
    return {int(step): Rate.from_dict(row) for step, row in (train or {}).get("evaluations", {}).items()}


def training_samples(pictures: Mapping[int, Path]) -> dict[int, str]:
    """At most `MOST_SAMPLES` of the evaluations, evenly spread, with the last one."""
    steps = sorted(pictures)
    count = min(MOST_SAMPLES, len(steps))
    shown = [steps[(index + 1) * len(steps) // count - 1] for index in range(count)]
    return {step: picture_uri(pictures[step], SAMPLES_WIDTH) for step in shown}
