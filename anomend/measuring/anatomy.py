"""Anatomy in a metric file: what a detector says of every image, and the rates of the set."""

from __future__ import annotations

import pandas as pd

from anomend.detectors.detector import Detector
from anomend.measuring.anatomy_rates import anomaly_rates, flat_figures
from anomend.measuring.features import Images
from anomend.measuring.set_metrics import Figures

NO_DETECTOR = "no detector ran: measure.detector is none"


def measure_anatomy(
    images: Images, table: pd.DataFrame, detector: Detector
) -> tuple[pd.DataFrame, Figures, dict[str, str]]:
    """Anomalies of every image, the rates of the set, and what their provenance says about the detector.

    Args:
        images: in the order of `table`.
        table: their `file_name`, `group`, `prompt` and `seed`.
        detector: names the anomalies; one that names no kinds leaves cells empty and rates null with a reason.
    """
    per_image = table[["file_name", "group", "prompt", "seed"]].copy()
    if not detector.kinds:
        per_image["anomalous"], per_image["anomalies"] = None, ""
        groups = sorted({str(group) for group in table["group"]}, reverse=True)
        rates = {f"anomaly_rate_{group}": None for group in groups}
        return per_image, rates | {f"{name}_reason": NO_DETECTOR for name in rates}, {"detector": detector.name}
    anomalies = detector.anomalies(images, progress=True)
    per_image["anomalous"] = [int(bool(kinds)) for kinds in anomalies]
    per_image["anomalies"] = [" ".join(kinds) for kinds in anomalies]
    figures = _nested(flat_figures(anomaly_rates(per_image, detector.kinds)))
    return per_image, figures, {"detector": detector.name, **detector.provenance()}


def _nested(rates: dict[str, float]) -> Figures:
    """`anomaly_rate.<prompt>` and `anomaly_kinds.<kind>` as objects, which dotted paths then reach."""
    tree: Figures = {}
    for key, value in rates.items():
        head, _, tail = key.partition(".")
        if tail:
            tree.setdefault(head, {})[tail] = value
        else:
            tree[head] = value
    return tree
