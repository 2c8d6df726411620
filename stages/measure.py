"""Stages `measure@base` and `measure@tuned`: figures of one set of samples."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors.numpy import save_file

from stages.cli import run_stage
from stages.imagefolder import load_image, read_imagefolder
from stages.measures.anatomy import anomaly_rates, assess, find_detector, flat_figures
from stages.measures.diversity import cosine_distance_matrix, vendi_score
from stages.measures.features import get_extractor
from stages.measures.frechet import frechet_distance
from stages.measures.kernel_distance import kernel_distance
from stages.measures.memorisation import (
    copies_by_features,
    copies_by_structure,
    copy_rate,
    nearest_instance_similarity,
)
from stages.measures.psnr import psnr_within
from stages.measures.ssim import ssim_within
from stages.measures.statistics import mean_within_sets
from stages.metric_files import METRICS, library_versions, write_metrics
from stages.params import MeasureParams, load_params

SAMPLES, FEATURES, INSTANCE = Path("data/samples"), Path("data/features"), Path("data/instance")

NOBODY_LOOKED = "nobody looked at the anatomy: measure.detector is none"

Images = Sequence[NDArray[np.uint8]]


def look_at_anatomy(
    images: Images, table: pd.DataFrame, detector: str
) -> tuple[pd.DataFrame, dict[str, Any], dict[str, str]]:
    """Anomalies of every image, the rates of the set, and what their provenance says about the detector.

    Args:
        images: in the order of `table`.
        table: their `file_name`, `group`, `prompt` and `seed`.
        detector: a detector of `stages.measures.anatomy`, or none: cells are then empty, and rates null with a reason.
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
    figures = nested(flat_figures(anomaly_rates(per_image, known.kinds)))
    return per_image, figures, {"detector": detector, **known.provenance()}


def within_set(table: pd.DataFrame, limit: int) -> dict[str, list[int]]:
    """Rows of the first `limit` seeds of each target prompt: the sets on which the within-set measures are taken."""
    target = table[table["group"] == "target"].sort_values("seed")
    return {str(prompt): list(rows.index[:limit]) for prompt, rows in target.groupby("prompt", sort=True)}


def mean_over(values: Sequence[float | None]) -> float | None:
    """Mean over prompts; None where no prompt has a value."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def feature_figures(
    features: NDArray[np.float32], instances: NDArray[np.float32], table: pd.DataFrame, settings: MeasureParams
) -> dict[str, Any]:
    """Distances to the instance images, diversity and copying, on the target prompts' samples."""
    target = features[(table["group"] == "target").to_numpy()]
    sets = within_set(table, settings.within_set_images)
    frechet = frechet_distance(target, instances) if len(instances) > 1 else None
    figures: dict[str, Any] = {
        "diversity": mean_within_sets(
            {prompt: cosine_distance_matrix(features[rows]) for prompt, rows in sets.items()}
        ),
        "vendi_score": mean_over([vendi_score(features[rows]) for rows in sets.values()]),
        f"frechet_{settings.extractor}": frechet.value if frechet else None,
        f"kernel_{settings.extractor}": kernel_distance(target, instances) if frechet else None,
        "nearest_instance_similarity": float(nearest_instance_similarity(target, instances).mean()),
    }
    if frechet is None:
        return figures | {"reason": "one instance image: a distance between sets needs two or more"}
    return figures | ({"frechet_warning": frechet.warning} if frechet.warning else {})


def copy_figures(
    images: Images, instance_images: Images, features: NDArray[np.float32], instances: NDArray[np.float32]
) -> dict[str, Any]:
    """Copies of instance images among the target prompts' samples, by either detector and by each."""
    by_structure, by_features = copies_by_structure(images, instance_images), copies_by_features(features, instances)
    copies = copy_rate([by_structure, by_features])
    figures: dict[str, Any] = {
        "copy_rate": copies.rate,
        "copy_rate_structure": by_structure.rate,
        "copy_rate_features": by_features.rate,
        "copy_threshold_structure": by_structure.threshold,
        "copy_threshold_features": by_features.threshold,
    }
    notes = {"copy_rate_warning": copies.warning, "copy_rate_reason": copies.reason or by_features.reason}
    return figures | {name: note for name, note in notes.items() if note}


def main(model: str) -> None:
    settings = load_params().measure
    table = read_imagefolder(SAMPLES / model)
    images = [load_image(path) for path in table["path"]]
    instance_images = [load_image(path) for path in read_imagefolder(INSTANCE)["path"]]

    per_image, rates, detector = look_at_anatomy(images, table, settings.detector)
    plot = METRICS / "plots" / f"images_{model}.csv"
    plot.parent.mkdir(parents=True, exist_ok=True)
    per_image.to_csv(plot, index=False)

    extractor = get_extractor(settings.extractor)
    features = extractor.extract(images, settings.batch_size, progress=True)
    instances = extractor.extract(instance_images, settings.batch_size)
    (FEATURES / model).mkdir(parents=True, exist_ok=True)
    save_file({"samples": features, "instances": instances}, FEATURES / model / "features.safetensors")

    target = np.flatnonzero(table["group"] == "target")
    copies = copy_figures([images[row] for row in target], instance_images, features[target], instances)
    sets = within_set(table, settings.within_set_images)
    similar = {
        "ssim_within": mean_over([ssim_within([images[row] for row in rows]) for rows in sets.values()]),
        "psnr_within": mean_over([psnr_within([images[row] for row in rows]) for rows in sets.values()]),
    }
    write_metrics(
        METRICS / f"measure_{model}.json",
        rates | similar | feature_figures(features, instances, table, settings) | copies,
        {
            "n": len(images),
            "n_target": int((table["group"] == "target").sum()),
            "n_within_set": sum(len(rows) for rows in sets.values()),
            "n_instance": len(instances),
            **detector,
            **extractor.provenance(),
            "batch_size": settings.batch_size,
            **library_versions("torch", "scikit-image", "scipy", "numpy"),
        },
    )


def nested(rates: dict[str, float]) -> dict[str, Any]:
    """`anomaly_rate.<prompt>` and `anomaly_kinds.<kind>` as objects, which dotted paths then reach."""
    tree: dict[str, Any] = {}
    for key, value in rates.items():
        head, _, tail = key.partition(".")
        if tail:
            tree.setdefault(head, {})[tail] = value
        else:
            tree[head] = value
    return tree


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=("base", "tuned"))
    chosen = parser.parse_args().model
    run_stage(f"measure_{chosen}", partial(main, chosen))
