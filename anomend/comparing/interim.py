"""What the verdict rests on, of the images that are there so far: the same metrics as those of the whole run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from anomend.comparing.anomalies import pair_counts
from anomend.comparing.comparison import with_caution
from anomend.comparing.pairs import pairs_of
from anomend.comparing.right_diversity import right_diversity
from anomend.detectors.detector import Detector
from anomend.measuring.anatomy import measure_anatomy
from anomend.measuring.feature_store import FeatureStore
from anomend.measuring.features import get_extractor
from anomend.measuring.group_metrics import copy_metrics
from anomend.params.evaluation import MeasureParams
from anomend.pictures.image_sets import load_image
from anomend.project.model_words import BASE_AND_TUNED, ModelWords
from anomend.project.paths import MODELS
from anomend.project.timing import timed_work

Metrics = dict[str, Any]
GROUPS = ("target", "held_out")


def interim_metrics(
    samples: Mapping[str, pd.DataFrame],
    instance_images: pd.DataFrame,
    *,
    detector: Detector,
    settings: MeasureParams,
    store: FeatureStore,
    words: ModelWords = BASE_AND_TUNED,
) -> tuple[Metrics, Metrics]:
    """The parts of metrics/compare.json and metrics/measure_tuned.json that the verdict reads.

    Args:
        samples: by model, image sets with `path`, `file_name`, `text`, `group`, `prompt`, `seed`. Only target and
            held-out prompts are looked at.
        instance_images: image set of the training images.
        detector: names the anomalies.
        settings: the main extractor.
        store: keeps features and anomalies, so that nothing is computed twice on the same image.
        words: what the two models are called.
    """
    samples = {model: rows[rows["group"].isin(GROUPS)].reset_index(drop=True) for model, rows in samples.items()}
    images = {model: [load_image(path) for path in samples[model]["path"]] for model in MODELS}
    training = [load_image(path) for path in instance_images["path"]]
    extractor = get_extractor(settings.extractor)
    with timed_work("measuring", sum(map(len, images.values()))):
        measured = {model: measure_anatomy(images[model], samples[model], detector, store) for model in MODELS}
        features = {model: store.features(extractor, images[model], settings.batch_size) for model in MODELS}
        instances = store.features(extractor, training, settings.batch_size)
    per_image = {model: measured[model][0] for model in MODELS}
    compare: Metrics = {f"anomaly_rate_{group}": _rates(measured, group) for group in GROUPS}
    for name, counts in pair_counts(per_image).items():
        compare[name] |= counts
    compare = with_caution(compare, measured["base"][2] | {"detector": detector.name})
    compare["diversity_right"] = right_diversity(
        pairs_of(samples), per_image, features, instances=instances, confidence=0.95, words=words
    )
    target = list(samples["tuned"].index[samples["tuned"]["group"] == "target"])
    copies = copy_metrics(
        images=[images["tuned"][row] for row in target],
        instance_images=training,
        features=features["tuned"][target],
        instances=instances,
    )
    copied = {name: copies[name] for name in copies if name.startswith("copy_rate")}
    return compare, copied | {"provenance": {"n_target": len(target)}}


def _rates(measured: Mapping[str, tuple[pd.DataFrame, Metrics, Any]], group: str) -> Metrics:
    key = f"anomaly_rate_{group}"
    rates = {model: measured[model][1].get(key) for model in MODELS}
    reason = next((measured[model][1].get(f"{key}_reason") for model in MODELS), None)
    return {**rates, "reason": reason} if reason else rates
