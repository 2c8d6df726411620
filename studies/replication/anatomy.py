"""What the detector `photographs` sees in the published images: exploratory, and not proof of anatomy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from anomend.detectors.detector import Detector
from anomend.detectors.observation import Observation
from anomend.detectors.photographs.detector import CAUTION, KINDS
from anomend.statistics.exact_tests import holm
from anomend.statistics.unpaired import permutation_test

SETS = ("tuned", "base", "instance")
EXPLORATORY = (
    "Exploratory: the detector and its thresholds were known to suit the instance images, no figure here was named"
    f" before the images were looked at, and it {CAUTION}."
)


def anatomy_metrics(
    sets: Mapping[str, Sequence[NDArray[np.uint8]]],
    detector: Detector | None,
    *,
    seed: int,
    reason: str,
    progress: bool = False,
) -> dict[str, Any]:
    """Rates by kind of anomaly, and confidences, of the tuned, base and instance images.

    Args:
        sets: images by set: `tuned`, `base`, `instance`.
        detector: of photographs; None where its networks are missing.
        seed: of the splits, where there are too many to list.
        reason: why there is no detector.

    Returns:
        `rates`: by kind, and `any`, the share of images of each set; `confidence`: means of `body` and `hands`, the
        latter over images in which a hand is to be expected. `p` compares tuned with base, exactly, by all splits of
        the unpaired images; `p_holm` corrects it for all tests here.
    """
    rows = [(name, image) for name in SETS for image in sets[name]]
    if detector is None:
        return {"note": EXPLORATORY, "rates": None, "confidence": None, "reason": reason}
    seen: dict[str, list[Observation]] = {name: [] for name in SETS}
    for name, image in tqdm(rows, desc="anatomy (photographs)", disable=not progress):
        seen[name].append(detector.detect(image))
    kinds = {name: [one.anomalies for one in seen[name]] for name in SETS}
    rates = {
        "any": _compared({name: [float(bool(anomalies)) for anomalies in kinds[name]] for name in SETS}, seed),
        **{
            kind: _compared({name: [float(kind in anomalies) for anomalies in kinds[name]] for name in SETS}, seed)
            for kind in KINDS
        },
    }
    confidence = {
        "body": _compared({name: [one.anatomy for one in seen[name]] for name in SETS}, seed),
        "hands": _compared({name: [one.hands for one in seen[name]] for name in SETS}, seed),
    }
    adjusted = holm(
        {
            f"{part}.{key}": row["p"]
            for part, table in (("rates", rates), ("confidence", confidence))
            for key, row in table.items()
        }
    )
    for part, table in (("rates", rates), ("confidence", confidence)):
        for key, row in table.items():
            row["p_holm"] = adjusted[f"{part}.{key}"]
    return {"note": EXPLORATORY, "rates": rates, "confidence": confidence}


def _compared(values: Mapping[str, Sequence[float | None]], seed: int) -> dict[str, Any]:
    """Means of the sets, without what is unknown, and the p of tuned against base."""
    present = {name: [value for value in values[name] if value is not None] for name in SETS}
    row: dict[str, Any] = {name: float(np.mean(present[name])) if present[name] else None for name in SETS}
    row |= {f"n_{name}": len(present[name]) for name in SETS}
    if not present["tuned"] or not present["base"]:
        return row | {"p": None, "reason": "unknown in every image of a set"}
    return row | {"p": permutation_test(present["base"], present["tuned"], seed=seed).p}
