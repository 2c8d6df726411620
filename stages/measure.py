"""Stages `measure@base` and `measure@tuned`: figures of one set of samples.

Figures of the target prompts have plain names; the same on the held-out prompts, which training should leave alone, end
in `_held_out`. Figures of a further extractor stand in an object of its name, and are null with a reason where its
weights or packages are missing.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors.numpy import save_file

from stages.cli import run_stage
from stages.imagefolder import load_image, read_imagefolder
from stages.measures import set_figures
from stages.measures.anatomy import anomaly_rates, assess, find_detector, flat_figures
from stages.measures.feature_store import FeatureStore
from stages.measures.features import get_extractor
from stages.measures.memorisation import copies_by_features, copies_by_structure, copy_rate
from stages.measures.network_figures import Group, further_figures, perceptual_figures
from stages.measures.psnr import psnr_within
from stages.measures.set_figures import Figures, mean_over
from stages.measures.ssim import ssim_within
from stages.metric_files import METRICS, library_versions, write_metrics
from stages.params import MeasureParams, load_params

SAMPLES, FEATURES, INSTANCE = Path("data/samples"), Path("data/features"), Path("data/instance")
STORE = Path(".features")
SUFFIXES = {"target": "", "held_out": "_held_out"}

NOBODY_LOOKED = "nobody looked at the anatomy: measure.detector is none"

Images = Sequence[NDArray[np.uint8]]
Sets = dict[str, list[int]]


def look_at_anatomy(images: Images, table: pd.DataFrame, detector: str) -> tuple[pd.DataFrame, Figures, dict[str, str]]:
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


def rows_of(table: pd.DataFrame, group: str) -> list[int]:
    """Rows of a group's samples."""
    return [int(row) for row in np.flatnonzero(table["group"] == group)]


def within_set(table: pd.DataFrame, limit: int, group: str = "target") -> Sets:
    """Rows of the first `limit` seeds of each prompt of a group: the sets of the within-set measures."""
    own = table[table["group"] == group].sort_values("seed")
    return {str(prompt): list(rows.index[:limit]) for prompt, rows in own.groupby("prompt", sort=True)}


def similarity_figures(images: Images, sets: Sets, suffix: str) -> Figures:
    """SSIM and PSNR within prompts."""
    return {
        f"ssim_within{suffix}": mean_over([ssim_within([images[row] for row in rows]) for rows in sets.values()]),
        f"psnr_within{suffix}": mean_over([psnr_within([images[row] for row in rows]) for rows in sets.values()]),
    }


def feature_figures(
    features: NDArray[np.float32],
    instances: NDArray[np.float32],
    table: pd.DataFrame,
    settings: MeasureParams,
    group: str = "target",
) -> Figures:
    """Diversity, distances to the instance images and manifold figures of a group, by the main extractor."""
    suffix, samples = SUFFIXES[group], features[rows_of(table, group)]
    own = set_figures.joined(
        set_figures.diversity_figures(features, within_set(table, settings.within_set_images, group)),
        set_figures.distance_figures(samples, instances),
    )
    named = {name + (f"_{settings.extractor}" if name in ("frechet", "kernel") else ""): own[name] for name in own}
    named[f"manifold_{settings.extractor}"] = set_figures.manifold_figures(samples, instances)
    return {suffixed(name, suffix): value for name, value in named.items()}


def suffixed(name: str, suffix: str) -> str:
    """`diversity` -> `diversity_held_out`; a note keeps its ending: `frechet_warning` -> `frechet_held_out_warning`."""
    for note in ("reason", "warning"):
        if name.endswith(note):
            return f"{name.removesuffix(note).rstrip('_')}{suffix}_{note}".lstrip("_")
    return name + suffix


def copy_figures(
    images: Images, instance_images: Images, features: NDArray[np.float32], instances: NDArray[np.float32]
) -> Figures:
    """Copies of instance images among samples, by either detector and by each."""
    by_structure, by_features = copies_by_structure(images, instance_images), copies_by_features(features, instances)
    copies = copy_rate([by_structure, by_features])
    figures: Figures = {
        "copy_rate": copies.rate,
        "copy_rate_structure": by_structure.rate,
        "copy_rate_features": by_features.rate,
        "copy_threshold_structure": by_structure.threshold,
        "copy_threshold_features": by_features.threshold,
    }
    notes = {"copy_rate_warning": copies.warning, "copy_rate_reason": copies.reason or by_features.reason}
    return figures | {name: note for name, note in notes.items() if note}


def main(model: str) -> None:
    settings, store = load_params().measure, FeatureStore(STORE)
    table = read_imagefolder(SAMPLES / model)
    images = [load_image(path) for path in table["path"]]
    instance_images = [load_image(path) for path in read_imagefolder(INSTANCE)["path"]]

    per_image, rates, detector = look_at_anatomy(images, table, settings.detector)
    plot = METRICS / "plots" / f"images_{model}.csv"
    plot.parent.mkdir(parents=True, exist_ok=True)
    per_image.to_csv(plot, index=False)

    extractor = get_extractor(settings.extractor)
    features = store.features(extractor, images, settings.batch_size, progress=True)
    instances = store.features(extractor, instance_images, settings.batch_size)
    (FEATURES / model).mkdir(parents=True, exist_ok=True)
    save_file({"samples": features, "instances": instances}, FEATURES / model / "features.safetensors")

    sets = {group: within_set(table, settings.within_set_images, group) for group in SUFFIXES}
    figures = dict(rates)
    for group, suffix in SUFFIXES.items():
        rows = rows_of(table, group)
        figures |= similarity_figures(images, sets[group], suffix)
        figures |= feature_figures(features, instances, table, settings, group)
        copies = copy_figures([images[row] for row in rows], instance_images, features[rows], instances)
        figures |= copies if group == "target" else {f"copy_rate{suffix}": copies["copy_rate"]}
    perceptual, further = {}, {}
    groups = {suffix: Group(rows_of(table, group), sets[group]) for group, suffix in SUFFIXES.items()}
    for network in settings.perceptual:
        found, perceptual[network] = perceptual_figures(network, images, instance_images, groups, store)
        figures |= found
    for name in settings.further_extractors:
        found, further[name] = further_figures(
            name, images, instance_images, list(table["text"]), groups, store, settings.batch_size
        )
        figures |= found

    write_metrics(
        METRICS / f"measure_{model}.json",
        figures,
        {
            "n": len(images),
            "n_target": len(rows_of(table, "target")),
            "n_within_set": sum(len(rows) for rows in sets["target"].values()),
            "n_instance": len(instances),
            **detector,
            **extractor.provenance(),
            "perceptual": perceptual,
            "further_extractors": further,
            "batch_size": settings.batch_size,
            **library_versions("torch", "torchmetrics", "scikit-image", "scipy", "numpy"),
        },
    )


def nested(rates: dict[str, float]) -> Figures:
    """`anomaly_rate.<prompt>` and `anomaly_kinds.<kind>` as objects, which dotted paths then reach."""
    tree: Figures = {}
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
