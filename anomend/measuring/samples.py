"""All that stage `measure` does on one set of samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from anomend.detectors.detector import Detector
from anomend.measuring.anatomy import measure_anatomy
from anomend.measuring.feature_store import FeatureStore
from anomend.measuring.features import get_extractor
from anomend.measuring.group_metrics import group_metrics, groups_of
from anomend.measuring.network_metrics import further_extractor_metrics, perceptual_network_metrics
from anomend.measuring.set_metrics import Features, Metrics
from anomend.params.evaluation import MeasureParams
from anomend.pictures.image_sets import load_image


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What was measured on one set of samples."""

    metrics: Metrics
    """Content of the metric file. Metrics of the target prompts have plain names; metrics of the held-out prompts end
    in `_held_out`. Metrics of a further extractor are in an object of its name, and null with a reason where its
    weights or packages are missing."""
    provenance: dict[str, Any]
    """Numbers of images, detector, extractors and networks."""
    per_image: pd.DataFrame
    """One row per sample: file_name, group, prompt, seed, anomalous, anomalies."""
    features: Features
    """Of the samples by the main extractor, shape (n, d)."""
    instances: Features
    """Of the instance images, shape (m, d)."""


def measure_samples(
    samples: pd.DataFrame,
    instance_images: pd.DataFrame,
    *,
    detector: Detector,
    settings: MeasureParams,
    store: FeatureStore,
) -> Measured:
    """Measure one model's samples against the instance images.

    Args:
        samples: image set with `path`, `file_name`, `text`, `group`, `prompt`, `seed`.
        instance_images: image set of the training images.
        detector: names the anomalies.
        settings: extractors and networks.
        store: keeps features, so that no network runs twice on the same image.

    Raises:
        FileNotFoundError: the weights of the main extractor are missing.
        ValueError: an image cannot be measured, or two prompts have the same key.
    """
    images = [load_image(path) for path in samples["path"]]
    training_images = [load_image(path) for path in instance_images["path"]]
    per_image, metrics, of_detector = measure_anatomy(images, samples, detector, store)
    extractor, groups = get_extractor(settings.extractor), groups_of(samples, settings.within_set_images)
    features = store.features(extractor, images, settings.batch_size, progress=True)
    instances = store.features(extractor, training_images, settings.batch_size)
    for suffix, group in groups.items():
        metrics |= group_metrics(
            suffix,
            group,
            images=images,
            instance_images=training_images,
            features=features,
            instances=instances,
            extractor=extractor.name,
        )
    shared: dict[str, Any] = {"images": images, "instance_images": training_images, "groups": groups, "store": store}
    shared["batch_size"] = settings.batch_size
    networks: dict[str, dict[str, Any]] = {"perceptual": {}, "further_extractors": {}}
    for network in settings.perceptual:
        perceptual, networks["perceptual"][network] = perceptual_network_metrics(network, **shared)
        metrics |= perceptual
    for name in settings.further_extractors:
        further, networks["further_extractors"][name] = further_extractor_metrics(
            name, texts=list(samples["text"]), **shared
        )
        metrics |= further
    provenance = {
        "n": len(images),
        "n_target": len(groups[""].rows),
        "n_within_set": sum(len(rows) for rows in groups[""].sets.values()),
        "n_instance": len(instances),
        **of_detector,
        **extractor.provenance(),
        **networks,
        "batch_size": settings.batch_size,
        **({"sampled_on": sorted(set(samples["device"]))} if "device" in samples else {}),
    }
    return Measured(metrics=metrics, provenance=provenance, per_image=per_image, features=features, instances=instances)
