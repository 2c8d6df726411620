"""Stage `compare`: tuned against base, paired by prompt and seed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors.numpy import load_file

from anomend.comparing.effects import (
    Effects,
    clip_effects,
    instance_effects,
    perceptual_effects,
    resampling,
    within_set_effects,
)
from anomend.comparing.pairs import MODELS, Pairs, read_pairs
from anomend.measuring.feature_store import FeatureStore
from anomend.measuring.features import Images
from anomend.measuring.pairing import pair_by_prompt_and_seed
from anomend.params.evaluation import CompareParams, MeasureParams
from anomend.params.resolved import load_params
from anomend.pictures.image_sets import load_image, read_imagefolder
from anomend.project.metric_files import METRICS, library_versions, read_metrics, write_metrics
from anomend.project.run import run_stage
from anomend.statistics import Better, holm, insufficient, paired_effect

SAMPLES, FEATURES, INSTANCE = Path("data/samples"), Path("data/features"), Path("data/instance")
STORE = Path(".features")


def anomaly_effects(settings: CompareParams) -> Effects:
    """The change of the anomaly rate on target and on held-out prompts."""
    base, tuned = (pd.read_csv(METRICS / "plots" / f"images_{model}.csv") for model in ("base", "tuned"))
    pairs = pair_by_prompt_and_seed(base, tuned, "anomalous", missing=True)
    effects = {}
    for group in ("target", "held_out"):
        rows = pairs[pairs["group"] == group]
        if rows[["base", "tuned"]].isna().any(axis=None):
            reason = "there are images at whose anatomy nobody looked: choose a measure.detector"
            effects[f"anomaly_rate_{group}"] = insufficient(len(rows), rows["prompt"].nunique(), "lower", reason)
            continue
        effects[f"anomaly_rate_{group}"] = paired_effect(
            rows["base"],
            rows["tuned"],
            list(rows["prompt"]),
            better="lower",
            **resampling(settings),
        )
    return effects


def group_effects(
    suffix: str, pairs: Pairs, instances: Images, settings: CompareParams, measure: MeasureParams
) -> Effects:
    """Every measure but the anomaly rate on one group of prompts, under its keys."""
    how, store = resampling(settings), FeatureStore(STORE)
    stored = [load_file(FEATURES / model / "features.safetensors") for model in MODELS]
    features = np.stack([own["samples"][rows] for own, rows in zip(stored, pairs.rows, strict=True)])
    effects = within_set_effects(pairs, features, measure, how)
    effects |= perceptual_effects(pairs, instances, measure, store, how)
    nearer: Better = "closer" if suffix else "lower"
    effects |= instance_effects(pairs, features, stored[0]["instances"], measure.extractor, nearer, how)
    effects |= clip_effects(pairs, measure, store, how)
    return {f"{name}{suffix}": effect for name, effect in effects.items()}


def with_caution(figures: dict[str, dict[str, Any]], provenance: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The figures; where the detector's anomalies are no proof, the anomaly rates say so in their `caution`."""
    if not (caution := provenance.get("detector_caution")):
        return figures
    words = {"caution": f"the detector {provenance['detector']} {caution}"}
    return {name: own | words if name.startswith("anomaly_rate_") else own for name, own in figures.items()}


def frechet_entry(extractor: str) -> dict[str, Any]:
    """Both models' Frechet distances, without interval and p."""
    key = f"frechet_{extractor}"
    base, tuned = (read_metrics(METRICS / f"measure_{model}.json") for model in ("base", "tuned"))
    n = base["provenance"]["n_target"]
    delta = None if base[key] is None or tuned[key] is None else tuned[key] - base[key]
    note = "reason" if delta is None else "frechet_warning"
    reason = base.get(note) or tuned.get(note) or "its bias depends on the size of the sets; see the kernel distance"
    values = {"base": base[key], "tuned": tuned[key], "delta": delta}
    nothing = {"ci_low": None, "ci_high": None, "p": None}
    return {key: values | nothing | {"n": n, "clusters": None, "better": "lower", "method": "none", "reason": reason}}


def main() -> None:
    params = load_params()
    settings, measure = params.compare, params.measure
    instances = [load_image(path) for path in read_imagefolder(INSTANCE)["path"]]
    effects = anomaly_effects(settings)
    for suffix, pairs in read_pairs(SAMPLES).items():
        effects |= group_effects(suffix, pairs, instances, settings, measure)
    adjusted = holm({name: effect.p for name, effect in effects.items()})
    figures = {name: effect.as_dict() | {"p_holm": adjusted[name]} for name, effect in effects.items()}
    provenance = read_metrics(METRICS / "measure_base.json")["provenance"]
    write_metrics(
        METRICS / "compare.json",
        with_caution(figures, provenance) | frechet_entry(measure.extractor),
        {
            "extractor": measure.extractor,
            "weights_sha256": provenance["weights_sha256"],
            "confidence": settings.confidence,
            "resamples": settings.resamples,
            "seed": settings.seed,
            **library_versions("numpy", "scipy", "scikit-image"),
        },
    )


if __name__ == "__main__":
    run_stage("compare", main)
