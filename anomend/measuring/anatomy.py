"""Anatomy in a metric file: the anomalies that a detector finds on every image, and the rates of the set."""

from __future__ import annotations

import pandas as pd

from anomend.detectors.detector import Detector
from anomend.measuring.feature_store import FeatureStore
from anomend.measuring.features import Images
from anomend.measuring.rates import anomaly_rates, rate_metrics
from anomend.measuring.set_metrics import Metrics


def measure_anatomy(
    images: Images, table: pd.DataFrame, detector: Detector, store: FeatureStore | None = None
) -> tuple[pd.DataFrame, Metrics, dict[str, str]]:
    """Anomalies of every image, the rates of the set, and what their provenance says about the detector.

    Args:
        images: in the order of `table`.
        table: their `file_name`, `group`, `prompt` and `seed`.
        detector: names the anomalies. If it can name no kinds, columns are empty and rates are null with a reason.
        store: keeps the anomalies, so that no detector runs twice on the same image; None: nothing is kept.
    """
    per_image = table[["file_name", "group", "prompt", "seed"]].copy()
    if not detector.kinds:
        per_image["anomalous"], per_image["anomalies"] = None, ""
        return per_image, rate_metrics(anomaly_rates(per_image)), {"detector": detector.name}
    anomalies = store.anomalies(detector, images) if store else detector.anomalies(images, progress=True)
    per_image["anomalous"] = [int(bool(kinds)) for kinds in anomalies]
    per_image["anomalies"] = [" ".join(kinds) for kinds in anomalies]
    metrics = rate_metrics(anomaly_rates(per_image, detector.kinds))
    return per_image, metrics, {"detector": detector.name, **detector.provenance()}
