"""Stages `measure@base` and `measure@tuned`: figures of one set of samples.

Figures of the target prompts have plain names; the same on the held-out prompts, which training should leave alone, end
in `_held_out`. Figures of a further extractor stand in an object of its name, and are null with a reason where its
weights or packages are missing.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from safetensors.numpy import save_file

from anomend.detectors.table import make_detector
from anomend.measuring.anatomy import measure_anatomy
from anomend.measuring.feature_store import FeatureStore
from anomend.measuring.features import get_extractor
from anomend.measuring.group_metrics import group_figures, groups_of
from anomend.measuring.network_metrics import further_figures, perceptual_figures
from anomend.params.resolved import load_params
from anomend.pictures.image_sets import load_image, read_imagefolder
from anomend.project.metric_files import METRICS, library_versions, write_metrics
from anomend.project.run import run_stage

SAMPLES, FEATURES, INSTANCE = Path("data/samples"), Path("data/features"), Path("data/instance")
STORE = Path(".features")


def main(model: str) -> None:
    params, store = load_params(), FeatureStore(STORE)
    settings = params.measure
    table = read_imagefolder(SAMPLES / model)
    images = [load_image(path) for path in table["path"]]
    instance_images = [load_image(path) for path in read_imagefolder(INSTANCE)["path"]]

    per_image, rates, detector = measure_anatomy(images, table, make_detector(settings.detector, params.detectors))
    plot = METRICS / "plots" / f"images_{model}.csv"
    plot.parent.mkdir(parents=True, exist_ok=True)
    per_image.to_csv(plot, index=False)

    extractor = get_extractor(settings.extractor)
    features = store.features(extractor, images, settings.batch_size, progress=True)
    instances = store.features(extractor, instance_images, settings.batch_size)
    (FEATURES / model).mkdir(parents=True, exist_ok=True)
    save_file({"samples": features, "instances": instances}, FEATURES / model / "features.safetensors")

    figures, groups = dict(rates), groups_of(table, settings.within_set_images)
    for suffix, group in groups.items():
        figures |= group_figures(suffix, group, images, instance_images, features, instances, extractor.name)
    perceptual, further = {}, {}
    for network in settings.perceptual:
        found, perceptual[network] = perceptual_figures(
            network, images, instance_images, groups, store, settings.batch_size
        )
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
            "n_target": len(groups[""].rows),
            "n_within_set": sum(len(rows) for rows in groups[""].sets.values()),
            "n_instance": len(instances),
            **detector,
            **extractor.provenance(),
            "perceptual": perceptual,
            "further_extractors": further,
            "batch_size": settings.batch_size,
            **library_versions("torch", "torchmetrics", "scikit-image", "scipy", "numpy"),
        },
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=("base", "tuned"))
    chosen = parser.parse_args().model
    run_stage(f"measure_{chosen}", partial(main, chosen))
