"""Anatomy in a metric file: what a detector says of every image, and the rates of the set."""

from __future__ import annotations

import pandas as pd

from anomend.detectors.anatomy import assess, find_detector
from anomend.measuring.anatomy_rates import anomaly_rates, flat_figures
from anomend.measuring.features import Images
from anomend.measuring.set_metrics import Figures

NOBODY_LOOKED = "nobody looked at the anatomy: measure.detector is none"


def look_at_anatomy(images: Images, table: pd.DataFrame, detector: str) -> tuple[pd.DataFrame, Figures, dict[str, str]]:
    """Anomalies of every image, the rates of the set, and what their provenance says about the detector.

    Args:
        images: in the order of `table`.
        table: their `file_name`, `group`, `prompt` and `seed`.
        detector: a detector of `anomend.detectors.anatomy`; none leaves cells empty and rates null with a reason.
    """
    per_image = table[["file_name", "group", "prompt", "seed"]].copy()
    if detector == "none":
        per_image["anomalous"], per_image["anomalies"] = None, ""
        groups = sorted({str(group) for group in table["group"]}, reverse=True)
        rates = {f"anomaly_rate_{group}": None for group in groups}
        return per_image, rates | {f"{name}_reason": NOBODY_LOOKED for name in rates}, {"detector": detector}
    anomalies = assess(images, detector, progress=True)
    per_image["anomalous"] = [int(bool(found)) for found in anomalies]
    per_image["anomalies"] = [" ".join(found) for found in anomalies]
    known = find_detector(detector)
    figures = _nested(flat_figures(anomaly_rates(per_image, known.kinds)))
    return per_image, figures, {"detector": detector, **known.provenance()}


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
