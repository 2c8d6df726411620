"""Stage `compare`: tuned against base, paired by prompt and seed."""

from __future__ import annotations

import pandas as pd
from safetensors.numpy import load_file

from anomend.comparing.comparison import Measurements, compare_models
from anomend.comparing.pairs import read_pairs
from anomend.measuring.feature_store import FeatureStore
from anomend.params.resolved import load_params
from anomend.pictures.image_sets import load_image, read_imagefolder
from anomend.project.metric_files import library_versions, read_metrics, write_metrics
from anomend.project.model_words import words_in
from anomend.project.paths import FEATURE_STORE, FEATURES, INSTANCE, METRICS, MODELS, PLOTS, SAMPLES
from anomend.project.run import run_stage


def main() -> None:
    params = load_params()
    settings = params.compare
    features = {model: load_file(FEATURES / model / "features.safetensors") for model in MODELS}
    measured = Measurements(
        per_image={model: pd.read_csv(PLOTS / f"images_{model}.csv") for model in MODELS},
        metrics={model: read_metrics(METRICS / f"measure_{model}.json") for model in MODELS},
        features={model: stored["samples"] for model, stored in features.items()},
        instances=features["base"]["instances"],
    )
    metrics = compare_models(
        measured,
        read_pairs(SAMPLES),
        [load_image(path) for path in read_imagefolder(INSTANCE)["path"]],
        preserved=params.preserved_prompts(),
        settings=settings,
        measure=params.measure,
        store=FeatureStore(FEATURE_STORE, params.base.device),
        words=words_in(read_metrics(METRICS / "sample_tuned.json")),
    )
    provenance = {
        "extractor": params.measure.extractor,
        "weights_sha256": measured.metrics["base"]["provenance"]["weights_sha256"],
        "confidence": settings.confidence,
        "resamples": settings.resamples,
        "seed": settings.seed,
        **library_versions("numpy", "scipy", "scikit-image"),
    }
    write_metrics(METRICS / "compare.json", metrics, provenance)


if __name__ == "__main__":
    run_stage("compare", main)
