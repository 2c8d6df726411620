"""Stages `measure@base` and `measure@tuned`: metrics of one model's samples."""

from __future__ import annotations

import argparse
from functools import partial

from safetensors.numpy import save_file

from anomend.detectors.table import make_detector
from anomend.measuring.detection import detection_of
from anomend.measuring.feature_store import FeatureStore
from anomend.measuring.samples import measure_samples
from anomend.params.resolved import load_params
from anomend.pictures.image_sets import read_imagefolder
from anomend.project.devices import device_name, resolve_device
from anomend.project.metric_files import library_versions, write_metrics
from anomend.project.paths import FEATURE_STORE, FEATURES, INSTANCE, METRICS, MODELS, PLOTS, SAMPLES
from anomend.project.run import run_stage
from anomend.project.timing import timed_work


def main(model: str) -> None:
    params = load_params()
    samples = read_imagefolder(SAMPLES / model)
    with timed_work("measuring", len(samples), device_name(resolve_device(params.base.device))):
        measured = measure_samples(
            samples,
            read_imagefolder(INSTANCE),
            detector=make_detector(params.measure.detector, params.detectors, params.base.device),
            settings=params.measure,
            store=FeatureStore(FEATURE_STORE, params.base.device, detection=detection_of(params)),
        )
    PLOTS.mkdir(parents=True, exist_ok=True)
    measured.per_image.to_csv(PLOTS / f"images_{model}.csv", index=False)
    (FEATURES / model).mkdir(parents=True, exist_ok=True)
    features = {"samples": measured.features, "instances": measured.instances}
    save_file(features, FEATURES / model / "features.safetensors")
    versions = library_versions("torch", "torchmetrics", "scikit-image", "scipy", "numpy")
    write_metrics(METRICS / f"measure_{model}.json", measured.metrics, measured.provenance | versions)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=MODELS)
    model = parser.parse_args().model
    run_stage(f"measure_{model}", partial(main, model))
