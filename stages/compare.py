"""Stage `compare`: tuned against base, paired by prompt and seed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tqdm import tqdm

from stages.cli import run_stage
from stages.evaluation_params import CompareParams, MeasureParams
from stages.imagefolder import load_image, read_imagefolder
from stages.measures.diversity import cosine_distance_matrix
from stages.measures.kernel_distance import compare_kernel_distance
from stages.measures.pairing import pair_by_prompt_and_seed
from stages.measures.psnr import psnr_matrix
from stages.measures.ssim import ssim_matrix
from stages.measures.statistics import Effect, compare_within_set, holm, insufficient, paired_effect
from stages.metric_files import METRICS, library_versions, read_metrics, write_metrics
from stages.params import load_params

SAMPLES, FEATURES = Path("data/samples"), Path("data/features")


def anomaly_effects(settings: CompareParams) -> dict[str, Effect]:
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
            seed=settings.seed,
            resamples=settings.resamples,
            permutations=settings.resamples,
            confidence=settings.confidence,
        )
    return effects


def target_pairs(limit: int | None) -> dict[str, tuple[NDArray[np.intp], list[Path]]]:
    """By target prompt: rows of the sample sets, and images, of the base and then of the tuned model, in one order of
    seeds; at most `limit` seeds a prompt."""
    tables = [read_imagefolder(SAMPLES / model) for model in ("base", "tuned")]
    prompts = sorted(tables[0].loc[tables[0]["group"] == "target", "prompt"].unique())
    found = {}
    for prompt in prompts:
        rows = [table[table["prompt"] == prompt].sort_values("seed")[:limit] for table in tables]
        found[prompt] = (np.stack([part.index.to_numpy() for part in rows]), [p for part in rows for p in part["path"]])
    return found


def within_set_effects(settings: CompareParams, measure: MeasureParams) -> dict[str, Effect]:
    """How alike the images of one prompt are: SSIM, PSNR, and their opposite, diversity in feature space."""
    features = [load_file(FEATURES / model / "features.safetensors")["samples"] for model in ("base", "tuned")]
    pairs = target_pairs(measure.within_set_images)
    matrices: dict[str, dict[str, Any]] = {"ssim_within": {}, "psnr_within": {}, "diversity": {}}
    for prompt, (rows, paths) in tqdm(pairs.items(), desc="comparing images", unit="prompt"):
        images = [load_image(path) for path in paths]
        matrices["ssim_within"][prompt] = ssim_matrix(images)
        matrices["psnr_within"][prompt] = psnr_matrix(images)
        both = np.concatenate([own[index] for own, index in zip(features, rows, strict=True)])
        matrices["diversity"][prompt] = cosine_distance_matrix(both)
    # More alike is neither better nor worse by itself; a loss of diversity is worse.
    directions = {"ssim_within": "closer", "psnr_within": "closer", "diversity": "higher"}
    return {
        name: compare_within_set(
            sets,
            better=directions[name],  # type: ignore[arg-type]
            seed=settings.seed,
            resamples=settings.resamples,
            permutations=settings.resamples,
            confidence=settings.confidence,
            ratio=name == "diversity",  # the verdict holds this ratio against its threshold
        )
        for name, sets in matrices.items()
    }


def distance_effects(settings: CompareParams, extractor: str) -> dict[str, Effect]:
    """Is the tuned model nearer to the instance images? The kernel distance has an unbiased test; the Frechet distance
    of sets this small has not, and stands in the measure files alone."""
    stored = [load_file(FEATURES / model / "features.safetensors") for model in ("base", "tuned")]
    pairs = target_pairs(None)
    prompts = [prompt for prompt, (rows, _) in pairs.items() for _ in range(rows.shape[1])]
    base, tuned = (
        np.concatenate([own["samples"][rows[model]] for rows, _ in pairs.values()]) for model, own in enumerate(stored)
    )
    effect = compare_kernel_distance(
        base,
        tuned,
        stored[0]["instances"],
        prompts,
        seed=settings.seed,
        resamples=settings.resamples,
        permutations=settings.resamples,
        confidence=settings.confidence,
    )
    return {f"kernel_{extractor}": effect}


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
    effects = anomaly_effects(settings) | within_set_effects(settings, measure)
    effects |= distance_effects(settings, measure.extractor)
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
